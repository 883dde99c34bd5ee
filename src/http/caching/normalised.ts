/** Values of headers whose syntax is not known, without what never matters. */

const NEEDS_NORMALISING = /[ \t,]/
// One request is compared with every variant of its address: what was normalised last is likely wanted again.
let lastValue = ''
let lastNormalised = ''

/**
 * §4.1 lets us add and remove whitespace where the syntax of lists allows it, and join several fields. Values with
 * quotes are left alone: there a space may mean something.
 *
 * Runs of space become one before commas are looked for: a pattern for both at once would take time by the square of
 * a run's length.
 */
export function normalised(value: string): string {
  if (value === lastValue) return lastNormalised
  if (!NEEDS_NORMALISING.test(value) || value.includes('"')) return value
  lastNormalised = value
    .replace(/[ \t]+/g, ' ')
    .replace(/ ?, ?/g, ',')
    .replace(/^ | $/g, '')
  lastValue = value
  return lastNormalised
}
