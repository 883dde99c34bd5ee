/** A request as its author reads it: one line for it, one for each run of a unit and each of its calls. */
import type { RequestTrace } from '../contract/messages.ts'
import { printable } from './tail-text.ts'

const SHOWN_MAX = 200

export function traceText(trace: RequestTrace): string {
  const { method, target, status, ms, cache, cacheKey, limit, runs, calls } = trace
  const answer = status === 0 ? 'gone' : String(status)
  const from = cache === '' ? '' : ` cache=${cache}`
  return [
    `${method} ${shown(target)} ${answer} ${ms.toFixed(1)} ms${from}`,
    ...(cacheKey === '' ? [] : [`  key ${shown(cacheKey)}`]),
    ...(limit === undefined ? [] : [`  limit ${limit}`]),
    ...runs.map(({ unit, phase, result, cpuUs }) => `  ${unit} ${phase} ${result} ${cpuUs} µs`),
    ...calls.map((call) => `  ${call.kind} ${shown(call.target)} ${call.result} ${call.ms.toFixed(1)} ms`),
  ].join('\n')
}

function shown(text: string): string {
  const line = printable(text).replaceAll('\n', '\uFFFD')
  return line.length > SHOWN_MAX ? `${line.slice(0, SHOWN_MAX)}…` : line
}
