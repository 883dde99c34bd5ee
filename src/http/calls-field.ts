/** What units asked of the node, for a request that brought the debug token. */
import type { CallTrace } from '../contract/host-calls.ts'

/** Characters of what a call was about, and of all its calls. */
const CALL_TARGET_MAX = 200
const CALLS_MAX = 6000

/** The header line; nothing where nothing was asked. */
export const callsField = (calls: readonly CallTrace[]): string =>
  calls.length === 0 ? '' : `orla-calls: ${calls.map(callText).join(', ').slice(0, CALLS_MAX)}\r\n`

/** `kv.get visits hit 0.2ms`, `fetch GET https://example.org/ 200 12.0ms`: the first word, the last and the one before it are fixed. */
function callText({ kind, target, ms, result }: CallTrace): string {
  const shown = target.length > CALL_TARGET_MAX ? `${target.slice(0, CALL_TARGET_MAX)}...` : target
  const escaped = shown
    .toWellFormed()
    .replaceAll(/[^!-+\--~ ]/g, (character) => encodeURIComponent(character))
  return `${kind} ${escaped} ${result.replaceAll(' ', '-')} ${ms.toFixed(1)}ms`
}
