/** What `orla cache sim` tells people. */
import { type Choice, type Goal, percent, settingText } from '../../../cache/sim/choice.ts'
import { bytesText, countText } from '../../../cache/sim/quantity-text.ts'
import { isBound, type SimResult } from '../../../cache/sim/sweep.ts'
import type { TraceReading } from '../../traces/trace-file.ts'
import { table } from '../../help.ts'
import type { SimReport } from './sim.ts'

export function reportText(report: SimReport, goal: Goal): string {
  return [traceText(report), resultsText(report.results, goal), choiceText(report)]
    .filter((part) => part !== '')
    .join('\n\n')
}

function traceText({ names, reading, facts }: SimReport): string {
  const { trace, logged } = reading
  const name = names.length > 3 ? `${names.length} files` : names.join(', ')
  const once = percent(facts.requestedOnce / Math.max(1, facts.distinct))
  const bytes = trace.hasSizes
    ? `, ${bytesText(facts.bytes)} together and ${bytesText(facts.requestBytes)} as they are asked for`
    : ''
  return [
    `${name}: ${countText(facts.requests)} requests for ${about(trace.share)}${countText(facts.distinct)} objects${bytes}`,
    `${once} of the objects are asked for once; a cache without bounds would hit ${percent(facts.hitRatioMax)}`,
    trace.share < 1 &&
      `sampled: one object in ${countText(Math.round(1 / trace.share))}, ${countText(trace.requests.length)} requests, through caches smaller by as much; all numbers are estimates`,
    logged.asked > 0 &&
      `the log itself: ${percent(logged.hits / logged.asked)} of ${countText(logged.asked)} requests to the cache were hits`,
  ]
    .filter((line) => line !== false)
    .join('\n')
}

const about = (share: number): string => (share < 1 ? 'about ' : '')

/** One line below the title of a chart. */
export function subtitleOf({ reading, facts, choice }: SimReport): string {
  const bytes = reading.trace.hasSizes ? `, ${bytesText(facts.bytes)}` : ''
  const sampled = reading.trace.share < 1 ? ', sampled' : ''
  const chosen = choice === undefined ? '' : `; chosen: ${settingText(choice)}`
  return `${countText(facts.requests)} requests, ${countText(facts.distinct)} objects${bytes}${sampled}${chosen}`
}

/** A row a setting, the best first; a column a size. */
function resultsText(results: readonly SimResult[], goal: Goal): string {
  const hasSizes = results[0]?.byteHitRatio !== null
  const settings = [...Map.groupBy(results, ({ policy, admission }) => `${policy} ${admission}`).values()]
  const value = (result: SimResult) =>
    goal === 'bytes' ? (result.byteHitRatio ?? result.hitRatio) : result.hitRatio
  const sum = (same: readonly SimResult[]) => same.reduce((all, result) => all + value(result), 0)
  const rows = settings
    .toSorted((one, other) => sum(other) - sum(one))
    .map((same) => [
      same[0]!.policy,
      isBound(same[0]!.policy) ? '(bound)' : same[0]!.admission,
      ...same.map((result) => cell(result, hasSizes)),
    ])
  const heads = ['POLICY', 'ADMISSION', ...settings[0]!.map(sizeText)]
  const what = hasSizes ? 'hit ratio / byte hit ratio' : 'hit ratio'
  return `${what}, in percent\n\n${table(heads, rows)}`
}

const cell = ({ hitRatio, byteHitRatio }: SimResult, hasSizes: boolean): string => {
  const hits = (hitRatio * 100).toFixed(1).padStart(5)
  return hasSizes ? `${hits} /${(byteHitRatio! * 100).toFixed(1).padStart(5)}` : hits
}

/** `138 (1%)`, `19.4 MiB (1%)`. */
function sizeText({ by, size, share }: SimResult): string {
  const text = by === 'bytes' ? bytesText(size) : countText(size)
  return `${text} (${Number((share * 100).toPrecision(share < 0.1 ? 1 : 2))}%)`
}

function choiceText({ choice, choices }: SimReport): string {
  if (choice === undefined) return ''
  const bySize =
    choices.length > 1
      ? table(
          ['AT', 'CHOICE', 'WHY'],
          choices.map((one) => [placeText(one), settingText(one), one.reason]),
        )
      : ''
  const where = choices.length > 1 ? 'over all sizes' : `at ${placeText(choice)}`
  const setting = `"policy": "${choice.policy}", "admission": "${choice.admission}"`
  return [bySize, `choice ${where}: ${setting}\n${choice.reason}`].filter((part) => part !== '').join('\n\n')
}

const placeText = ({ by, size }: Choice): string =>
  by === 'bytes' ? bytesText(size!) : `${countText(size!)} entries`

/** Empty where every line was of use. */
export function badText({ bad, lines }: TraceReading): string {
  const { count, first } = bad
  if (first === undefined) return ''
  return `${countText(count)} of ${countText(lines)} lines were left out: the first is ${first.file}:${first.line}, "${first.text}"`
}

export function asideText({ aside }: TraceReading): string {
  const parts = [...aside].map(([why, count]) => `${countText(count)} ${why}`)
  return parts.length === 0 ? '' : `put aside, since no cache has a say in them: ${parts.join('; ')}`
}
