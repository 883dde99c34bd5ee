/** What a cache is made with, looked at before it is: who uses it from JavaScript is told what is wrong and what would be right. */
import { ADMISSION_NAMES } from './admission/admissions.ts'
import { nearest } from '../base/nearest.ts'
import { POLICY_NAMES } from './policies/policies.ts'

/** The ways to say how much may be in it. One of them, and no more. */
const BOUNDS = ['bytesMax', 'bareBytesMax', 'entriesMax'] as const
const FUNCTIONS = ['random', 'nowMs', 'onEvict', 'onRemove'] as const
const KNOWN = new Set<string>([...BOUNDS, ...FUNCTIONS, 'policy', 'admission', 'shareMax', 'entryBytesMax'])

/** @throws TypeError or RangeError that names the option. */
export function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`a cache is made with options such as { bytesMax: 64_000_000 }, not ${told(options)}`)
  const given = options as Readonly<Record<string, unknown>>
  for (const name of Object.keys(given))
    if (!KNOWN.has(name))
      throw new TypeError(
        `${name}: a cache has no such option${guess(name, [...KNOWN])} (known: ${[...KNOWN].join(', ')})`,
      )
  const bounds = BOUNDS.filter((name) => name in given)
  if (bounds.length !== 1)
    throw new TypeError(
      `a cache is bound by one of ${BOUNDS.join(', ')}; there ${bounds.length === 0 ? 'is none' : `are ${bounds.join(' and ')}`}`,
    )
  if (given[bounds[0]!] === undefined)
    throw new RangeError(`${bounds[0]}: expected a number from 0, not undefined`)
  number(given, bounds[0]!, 0, Infinity)
  number(given, 'shareMax', 0, 1)
  number(given, 'entryBytesMax', 0, Infinity)
  for (const name of FUNCTIONS)
    if (given[name] !== undefined && typeof given[name] !== 'function')
      throw new TypeError(`${name}: expected a function, not ${told(given[name])}`)
  const { policy, admission } = given
  if (policy !== undefined) checkName('policy', policy, POLICY_NAMES)
  const isAdmission =
    typeof admission === 'object' &&
    admission !== null &&
    typeof (admission as { admits?: unknown }).admits === 'function'
  if (admission !== undefined && !isAdmission) checkName('admission', admission, ADMISSION_NAMES)
}

function checkName(what: string, name: unknown, names: readonly string[]): void {
  if (typeof name !== 'string' || !names.includes(name))
    throw new RangeError(
      `${what}: expected one of ${names.join(', ')}, not ${told(name)}${typeof name === 'string' ? guess(name, names) : ''}`,
    )
}

function number(given: Readonly<Record<string, unknown>>, name: string, from: number, to: number): void {
  const value = given[name]
  if (value === undefined) return
  if (typeof value !== 'number' || !(value >= from && value <= to))
    throw new RangeError(
      `${name}: expected a number from ${from}${to === Infinity ? '' : ` to ${to}`}, not ${told(value)}`,
    )
}

function guess(word: string, known: readonly string[]): string {
  const meant = nearest(word, known)
  return meant === undefined ? '' : `; did you mean ${meant}?`
}

const told = (value: unknown): string => (typeof value === 'string' ? JSON.stringify(value) : String(value))
