/**
 * When the `timer` of a unit runs: `every: "20s"`, or `cron: "30 4 * * mon-fri"`, in UTC.
 *
 * The five fields of cron are read strictly: what is not understood is refused with the reason, and so is a date that never
 * comes. Where both day of month and day of week are restricted, either will do, as in every cron since Vixie's.
 */
import { parseDuration } from '../base/quantity.ts'
import { PHASE_BITS, type Manifest } from '../contract/unit.ts'

export interface Schedule {
  /** The first moment after this one, in milliseconds since 1970. */
  next(after: number): number
  /** Of `every`: its time. */
  readonly everyMs?: number
}

const EVERY_MIN_MS = 100
const EVERY_MAX_MS = 7 * 86_400_000

/** Milliseconds, or what is wrong. */
export function parseEvery(text: string): number | string {
  const ms = parseDuration(text)
  if (ms === undefined) return 'expected a time such as "20s" (ms, s, m, h, d)'
  if (ms < EVERY_MIN_MS || ms > EVERY_MAX_MS) return 'expected 100ms to 7d'
  return ms
}

interface Field {
  readonly name: string
  readonly from: number
  readonly to: number
  /** Three letters for `from`, `from + 1`… */
  readonly words?: readonly string[]
}

const FIELDS: readonly Field[] = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day of month', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12, words: 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ') },
  // Both 0 and 7 are Sunday.
  { name: 'day of week', from: 0, to: 7, words: 'sun mon tue wed thu fri sat'.split(' ') },
]

class Malformed extends Error {}

export class Cron implements Schedule {
  readonly #minutes: ReadonlySet<number>
  readonly #hours: ReadonlySet<number>
  readonly #days: ReadonlySet<number>
  readonly #months: ReadonlySet<number>
  readonly #weekdays: ReadonlySet<number>
  /** A field that begins with `*` restricts nothing in the rule of either day. */
  readonly #anyDay: boolean
  readonly #anyWeekday: boolean

  private constructor(parts: readonly string[]) {
    const [minutes, hours, days, months, weekdays] = FIELDS.map((field, i) => valuesOf(parts[i]!, field))
    this.#minutes = minutes!
    this.#hours = hours!
    this.#days = days!
    this.#months = months!
    this.#weekdays = new Set([...weekdays!].map((day) => day % 7))
    this.#anyDay = parts[2]!.startsWith('*')
    this.#anyWeekday = parts[4]!.startsWith('*')
  }

  /** The schedule, or what is wrong with the text. */
  static parse(text: string): Cron | string {
    const parts = text.trim().split(/\s+/)
    if (parts.length !== 5) {
      return `expected five fields (minute hour day-of-month month day-of-week), not ${text.trim() === '' ? 0 : parts.length}`
    }
    try {
      const cron = new Cron(parts)
      return cron.#find(Date.UTC(2000, 0, 1)) === undefined ? 'it never comes' : cron
    } catch (error) {
      if (error instanceof Malformed) return error.message
      throw error
    }
  }

  next(after: number): number {
    return this.#find(after)!
  }

  #find(after: number): number | undefined {
    const start = new Date(Math.floor(after / 60_000) * 60_000 + 60_000)
    let [year, month, day] = [start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate()]
    // Eight years hold a 29th of February, wherever they begin, and 28 every weekday of it.
    const lastYear = year + 40
    let isFirst = true
    while (year <= lastYear) {
      const date = new Date(Date.UTC(year, month, day))
      ;[year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()]
      if (!this.#months.has(month + 1)) {
        ;[month, day, isFirst] = [month + 1, 1, false]
        continue
      }
      if (this.#hasDay(day, date.getUTCDay())) {
        const from = isFirst ? start.getUTCHours() * 60 + start.getUTCMinutes() : 0
        for (let minute = from; minute < 1440; minute++) {
          if (!this.#hours.has(Math.floor(minute / 60))) minute += 59 - (minute % 60)
          else if (this.#minutes.has(minute % 60)) return date.getTime() + minute * 60_000
        }
      }
      ;[day, isFirst] = [day + 1, false]
    }
    return undefined
  }

  #hasDay(day: number, weekday: number): boolean {
    const isDay = this.#days.has(day)
    const isWeekday = this.#weekdays.has(weekday)
    return this.#anyDay || this.#anyWeekday ? isDay && isWeekday : isDay || isWeekday
  }
}

// `*`, `5`, `1-5`, `*/10`, `10-40/5`, `mon,wed`.
function valuesOf(text: string, field: Field): Set<number> {
  const values = new Set<number>()
  for (const part of text.split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(part) ?? []
    if (range === '') throw new Malformed(`${field.name}: \`${text}\` cannot be read`)
    const by = step === undefined ? 1 : Number(step)
    if (by === 0) throw new Malformed(`${field.name}: a step of 0 in \`${part}\``)
    const [from, to] = boundsOf(range, step !== undefined, field)
    for (let value = from; value <= to; value += by) values.add(value)
  }
  return values
}

function boundsOf(range: string, hasStep: boolean, field: Field): readonly [number, number] {
  // Sunday once: 7 is for those who write it.
  if (range === '*') return [field.from, field.name === 'day of week' ? 6 : field.to]
  const [first = '', last, ...more] = range.split('-')
  if (more.length > 0) throw new Malformed(`${field.name}: \`${range}\` cannot be read`)
  const from = valueOf(first, field)
  if (last === undefined) {
    if (hasStep)
      throw new Malformed(`${field.name}: a step goes with \`*\` or a range, not with \`${range}\``)
    return [from, from]
  }
  const to = valueOf(last, field)
  if (to < from) throw new Malformed(`${field.name}: \`${range}\` goes backwards`)
  return [from, to]
}

function valueOf(text: string, { name, from, to, words }: Field): number {
  const word = words?.indexOf(text.toLowerCase()) ?? -1
  if (word >= 0) return from + word
  const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  if (value >= from && value <= to) return value
  throw new Malformed(
    `${name}: expected ${from} to ${to}${words ? ` or ${words[0]} to ${words.at(-1)}` : ''}, not \`${text}\``,
  )
}

/** Undefined where the unit has none. */
export function scheduleOf({ every, cron }: Manifest): Schedule | undefined {
  if (every !== undefined) {
    const ms = parseEvery(every)
    return typeof ms === 'number' ? { everyMs: ms, next: (after) => after + ms } : undefined
  }
  const parsed = cron === undefined ? undefined : Cron.parse(cron)
  return parsed instanceof Cron ? parsed : undefined
}

/** What is wrong between a unit's handlers and its schedule. */
export function scheduleProblems(phases: number, { every, cron }: Manifest): string[] {
  const hasTimer = (phases & PHASE_BITS.timer) !== 0
  if (every !== undefined && cron !== undefined) return ['`every` and `cron` exclude each other']
  if (hasTimer && every === undefined && cron === undefined) {
    return ['a unit with `timer` says when: `every: "20s"`, or `cron: "0 4 * * *"` (UTC)']
  }
  if (!hasTimer && (every !== undefined || cron !== undefined)) {
    return [`\`${every === undefined ? 'cron' : 'every'}\` is for units with a \`timer\` handler`]
  }
  return []
}
