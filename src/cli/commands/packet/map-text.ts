/** Maps, events and lines of a program that is loaded, for people and as JSON. */
import type { Bar, LoadedMap } from '../../../packet/load/loaded-map.ts'
import type { ActionCounts, TraceLine } from '../../../packet/load/watching.ts'
import type { Value } from '../../../packet/load/values.ts'
import { table } from '../../help.ts'

/** A screen is full long before; `--json` prints all. */
const ROWS_MAX = 200
const BAR_CHARACTERS = 40

/** The library of TypeScript does not know it yet. */
const raw = JSON as unknown as { rawJSON(text: string): unknown }

/** Whole numbers beyond 2^53 stand as they are: who reads them must be able to. */
export const jsonOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? raw.rawJSON(String(part)) : part))

export const traceText = ({ text }: TraceLine): string => `trace  ${text}`

export const eventText = (map: string, event: Value): string => `${map}  ${plain(event)}`

/** `port 5005, bytes 52`: a value in one line. */
export function plain(value: Value | undefined): string {
  if (value === undefined) return ''
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return (value as readonly Value[]).map((part) => plain(part)).join(' ')
  return Object.entries(value as { readonly [field: string]: Value })
    .map(([field, part]) => `${field} ${typeof part === 'object' ? `(${plain(part)})` : plain(part)}`)
    .join(', ')
}

/** Undefined where there is nothing to print at the end: its events were printed as they came. */
export function mapText(map: LoadedMap): string | undefined {
  if (map.look === 'events' || map.look === 'none') return undefined
  const head = `${map.name} (${map.type})`
  if (map.look === 'variables') {
    const variables = Object.entries(map.variables())
    if (variables.length === 0) return undefined
    return `variables\n${table(
      ['NAME', 'VALUE'],
      variables.map(([name, value]) => [name, plain(value)]),
    )}`
  }
  if (map.look === 'histogram') {
    const bars = map.histogram()
    return bars.length === 0 ? `${head}: empty` : `${head}\n${histogramText(bars)}`
  }
  const entries = map.readUsed()
  if (entries.length === 0) return `${head}: empty`
  const shown = sorted(entries).slice(0, ROWS_MAX)
  const [fields, rows] = columnsOf(shown)
  const more =
    entries.length > shown.length ? `\n… and ${entries.length - shown.length} more; --json prints all` : ''
  return `${head}\n${table(fields, rows)}${more}`
}

interface Row {
  readonly key: Value
  readonly value: Value | undefined
  readonly byCpu?: readonly Value[] | undefined
}

/** A column for each member of a struct; else one for the key and one for the value. By CPU, where it is counted so. */
function columnsOf(rows: readonly Row[]): readonly [string[], string[][]] {
  const keys = fieldsOf(rows[0]!.key)
  const values = fieldsOf(rows[0]!.value)
  const cpus = rows[0]!.byCpu?.length ?? 0
  const heads = [
    ...(keys?.map((field) => field.toUpperCase()) ?? ['KEY']),
    ...(values?.map((field) => field.toUpperCase()) ?? (rows[0]!.value === undefined ? [] : ['VALUE'])),
    ...Array.from({ length: cpus }, (_, cpu) => `CPU${cpu}`),
  ]
  const cells = (fields: readonly string[] | undefined, value: Value | undefined): string[] => {
    if (value === undefined) return []
    return fields ? fields.map((field) => plain((value as Record<string, Value>)[field])) : [plain(value)]
  }
  const byRow = rows.map(({ key, value, byCpu }) => [
    ...cells(keys, key),
    ...cells(values, value),
    ...(byCpu ?? []).map((part) => plain(part)),
  ])
  return [heads, byRow]
}

const fieldsOf = (value: Value | undefined): readonly string[] | undefined =>
  typeof value === 'object' && !Array.isArray(value) ? Object.keys(value) : undefined

const byText = new Intl.Collator('en', { numeric: true })

/** By key: numbers by size, anything else by its text, where numbers count as such. A map may hold a million entries. */
function sorted(rows: readonly Row[]): readonly Row[] {
  const keyed = rows.map((row) => ({ row, text: isNumber(row.key) ? '' : plain(row.key) }))
  keyed.sort((a, b) => {
    const [one, other] = [a.row.key, b.row.key]
    if (isNumber(one) && isNumber(other)) return one < other ? -1 : one > other ? 1 : 0
    return byText.compare(a.text, b.text)
  })
  return keyed.map(({ row }) => row)
}

const isNumber = (value: Value): value is number | bigint =>
  typeof value === 'number' || typeof value === 'bigint'

export function histogramText(bars: readonly Bar[]): string {
  const most = Math.max(1, ...bars.map(({ count }) => count))
  const first = bars.findIndex(({ count }) => count > 0)
  const rows = bars.slice(Math.max(0, first)).map(({ low, high, count }) => {
    const length = Math.round((count / most) * BAR_CHARACTERS)
    return [`${low} to ${high}`, String(count), '#'.repeat(count > 0 ? Math.max(1, length) : 0)]
  })
  return table(['VALUE', 'COUNT', ''], rows)
}

export function actionsText(actions: ActionCounts): string {
  const rows = Object.entries(actions).filter(([action, count]) => action !== 'other' || count > 0)
  return table(
    ['ACTION', 'PACKETS'],
    rows.map(([action, count]) => [action, String(count)]),
  )
}

export function mapJson(map: LoadedMap): unknown {
  const { type, look } = map
  if (look === 'variables') return { type: 'variables', variables: map.variables() }
  if (look === 'histogram') return { type, histogram: map.histogram() }
  const entries = map.readUsed()
  return { type, entries: entries.map(({ key, value, byCpu }) => ({ key, value, byCpu })) }
}
