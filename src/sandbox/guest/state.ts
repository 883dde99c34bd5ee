/**
 * `edge.state`: what a unit keeps of one request, from phase to phase and from piece to piece of its body.
 *
 * It is data and not an object that lives on: it leaves with each run's record and comes back with the next one. So it is there
 * whichever sandbox the next run is in, and an isolate holds nothing for requests that are under way.
 */
import { charCodeAt, numberToString, padStart, slice, stringifyJson } from './primordials.ts'

/** Characters of its JSON. */
const STATE_MAX = 65_536

/** The state as JSON in ASCII, on one line. Throws where it is no data, or too much. */
export function stateJson(state: object): string {
  const json = stringifyJson(state) as string | undefined
  if (json === undefined) throw new TypeError('edge.state holds what is no JSON')
  const text = inAscii(json)
  if (text.length > STATE_MAX) {
    throw new RangeError(`edge.state has ${text.length} characters as JSON; ${STATE_MAX} are allowed`)
  }
  return text
}

/** A record is UTF-16, an entry Latin-1: so what is beyond ASCII is escaped. In JSON it only occurs within texts. */
function inAscii(json: string): string {
  let out = ''
  let from = 0
  for (let i = 0; i < json.length; i++) {
    const code = charCodeAt(json, i)
    if (code < 127) continue
    out += `${slice(json, from, i)}\\u${padStart(numberToString(code, 16), 4, '0')}`
    from = i + 1
  }
  return from === 0 ? json : out + slice(json, from)
}
