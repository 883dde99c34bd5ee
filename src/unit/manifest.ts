/**
 * The operator's view of a unit, from what the module's fields and the deploy command say.
 *
 * Both are untrusted text that people write, so every problem is told at once, in their words. What the deploy gives
 * wins over the module, field by field; inside `limits` also one by one.
 */
import * as v from 'valibot'
import { nearest } from '../base/nearest.ts'
import { pathPattern } from '../base/path-pattern.ts'
import { parseSize } from '../base/quantity.ts'
import { DEFAULT_LIMITS, DEFAULT_MANIFEST, PHASES, type Manifest, type Sample } from '../contract/unit.ts'
import { Cron, parseEvery } from './schedule.ts'
import { limitFieldProblems, limitFields } from './limit-field.ts'
import { hostPattern, methodName, nodePattern } from './patterns.ts'

export type ManifestResult = { readonly manifest: Manifest } | { readonly problems: readonly string[] }

/** In one list: what a unit names is compiled for every worker, at each deploy. */
const PATTERNS_MAX = 1000

const within = (least: number, most: number, unit: string) =>
  v.pipe(
    v.number(`expected a number of ${unit}`),
    v.check((n) => n >= least && n <= most, `expected ${least} to ${most} ${unit}`),
  )

/** As units are named: a unit's own namespace is its name. */
export const KV_NAMESPACE = /^[a-z0-9][a-z0-9-]{0,62}$/

const Share = v.pipe(
  v.number('expected a share of requests, 0 to 1'),
  v.check((n) => n >= 0 && n <= 1, 'expected a share of requests, 0 to 1'),
)

const By = v.pipe(
  v.string('expected "random", "address" or "cookie:NAME"'),
  v.check(
    (text) => text === 'random' || text === 'address' || /^cookie:[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text),
    'expected "random", "address" or "cookie:NAME"',
  ),
  v.transform((text) => text as Sample['by']),
)

const LIMITS = {
  cpuMs: v.optional(within(1, 1000, 'milliseconds')),
  wallMs: v.optional(within(1, 60_000, 'milliseconds')),
  memoryMb: v.optional(within(8, 512, 'MiB')),
}

/** A body that a unit takes whole: as much as its answer may have. */
const BUFFER_MAX = 16 * 1024 * 1024
const BUFFER_EXPECTED = 'expected a size up to 16 MiB, such as 65536 or "64kb"'

const SAMPLE = { share: v.optional(Share, 1), by: v.optional(By, 'random') }

const FIELDS = {
  hosts: v.optional(listOf(hostPattern)),
  paths: v.optional(listOf(pathPattern)),
  methods: v.optional(listOf(methodName)),
  nodes: v.optional(listOf(nodePattern)),
  priority: v.optional(
    v.pipe(
      v.number('expected a number'),
      v.check((n) => Number.isInteger(n) && Math.abs(n) <= 1_000_000, 'expected an integer up to 1000000'),
    ),
  ),
  sample: v.optional(
    v.pipe(
      v.unknown(),
      v.transform((value) => (typeof value === 'number' ? { share: value } : value)),
      v.object(SAMPLE, 'expected a share from 0 to 1, or {share, by}'),
    ),
  ),
  onError: v.optional(v.picklist(['closed', 'open', 'lastGood'], 'expected "closed", "open" or "lastGood"')),
  limits: v.optional(v.object(LIMITS, 'expected an object')),
  every: v.optional(
    v.pipe(
      v.string('expected a time such as "20s"'),
      told((text) => problemOf(parseEvery(text))),
    ),
  ),
  cron: v.optional(
    v.pipe(
      v.string('expected a cron line such as "0 4 * * *"'),
      told((text) => problemOf(Cron.parse(text))),
    ),
  ),
  kv: v.optional(
    v.pipe(
      v.string('expected the name of a namespace'),
      v.regex(KV_NAMESPACE, 'expected 1 to 63 of a-z, 0-9 and "-", the first not "-"'),
    ),
  ),
  buffer: v.optional(
    v.pipe(
      v.unknown(),
      v.transform((value) => (typeof value === 'string' ? (parseSize(value) ?? value) : value)),
      v.number(BUFFER_EXPECTED),
      v.check((n) => Number.isInteger(n) && n >= 0 && n <= BUFFER_MAX, BUFFER_EXPECTED),
    ),
  ),
  chunks: v.optional(v.picklist(['bytes', 'text'], 'expected "bytes" or "text"')),
  isolation: v.optional(v.picklist(['process', 'inline'], 'expected "process" or "inline"')),
  // Its problems are told apart: see `parseSource`.
  limit: v.optional(v.pipe(v.unknown(), v.transform(limitFields))),
}

const Fields = v.object(FIELDS)

/** The fields that a module or a deploy may set. */
export const MANIFEST_FIELDS = Object.keys(FIELDS)

/** What else a module may export: its handlers. `fetch` is `content` in the form of the Fetch API. */
export const HANDLERS: readonly string[] = [...PHASES, 'fetch']

/**
 * `fields` are the module's own, `overrides` what the deploy gave; both are plain data, and may be undefined. Names of
 * handlers in `fields` are passed over. Absent fields get their default.
 */
export function parseManifest(fields: unknown, overrides?: unknown): ManifestResult {
  const problems: string[] = []
  const own = parseSource(fields, [...MANIFEST_FIELDS, ...HANDLERS], '', problems)
  const given = parseSource(overrides, MANIFEST_FIELDS, 'given at the deploy: ', problems)
  if (problems.length > 0) return { problems }
  // One schedule takes the place of the other, as they exclude each other.
  const { every, cron, ...others } = own
  const schedule =
    given.every === undefined && given.cron === undefined ? withoutUndefined({ every, cron }) : {}
  const merged = { ...others, ...schedule, ...given }
  return {
    manifest: {
      ...DEFAULT_MANIFEST,
      ...merged,
      limits: { ...DEFAULT_LIMITS, ...own.limits, ...given.limits },
    },
  }
}

/** What one source says, without what it leaves open. Problems go into the list, each after `where`. */
function parseSource(source: unknown, known: readonly string[], where: string, problems: string[]) {
  type Said = {
    -readonly [K in keyof Manifest]?: K extends 'limits' ? Partial<Manifest['limits']> : Manifest[K]
  }
  if (source === undefined || source === null) return {} as Said
  if (typeof source !== 'object' || Array.isArray(source)) {
    problems.push(`${where}expected an object with fields`)
    return {} as Said
  }
  const entries = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined))
  const before = problems.length
  for (const problem of unknownFields(entries, known, '')) problems.push(where + problem)
  for (const [name, inner] of [
    ['limits', LIMITS],
    ['sample', SAMPLE],
  ] as const) {
    const value = entries[name]
    if (typeof value !== 'object' || value === null) continue
    for (const problem of unknownFields(value, Object.keys(inner), `${name}.`)) problems.push(where + problem)
  }
  for (const problem of limitFieldProblems(entries['limit'])) problems.push(where + problem)
  const result = v.safeParse(Fields, entries)
  if (!result.success) {
    for (const issue of result.issues) problems.push(where + issueText(issue))
  }
  if (!result.success || problems.length > before) return {} as Said
  return withoutUndefined(result.output) as Said
}

function unknownFields(source: object, known: readonly string[], prefix: string): string[] {
  return Object.keys(source)
    .filter((name) => !known.includes(name))
    .map((name) => {
      const guess = nearest(name, known)
      const help = guess ? `did you mean \`${prefix}${guess}\`?` : `known are ${known.join(', ')}`
      return `unknown field \`${prefix}${name}\`: ${help}`
    })
}

function issueText(issue: v.BaseIssue<unknown>): string {
  let path = ''
  for (const { key } of issue.path ?? []) {
    path += typeof key === 'number' ? `[${key}]` : `${path === '' ? '' : '.'}${String(key)}`
  }
  return `\`${path}\`: ${issue.message}, not ${shown(issue.input)}`
}

function shown(input: unknown): string {
  const text = JSON.stringify(input) ?? String(input)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

const problemOf = (parsed: unknown): string | undefined => (typeof parsed === 'string' ? parsed : undefined)

/** Passes a text, or tells what is wrong with it. */
function told(check: (text: string) => string | undefined) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    const message = dataset.typed ? check(dataset.value) : undefined
    if (message !== undefined) addIssue({ message })
  })
}

/** A list of texts, or one alone, each brought into its normal form or refused with the reason. */
function listOf(parse: (text: string) => { readonly value: string } | { readonly problem: string }) {
  const item = v.pipe(
    v.string('expected text'),
    v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
      const result = parse(dataset.value)
      if ('value' in result) return result.value
      addIssue({ message: result.problem })
      return NEVER
    }),
  )
  return v.pipe(
    v.unknown(),
    v.transform((value) => (typeof value === 'string' ? [value] : value)),
    v.array(item, 'expected a list of texts'),
    v.maxLength(PATTERNS_MAX, `expected at most ${PATTERNS_MAX}`),
    v.transform((list): readonly string[] => [...new Set(list)]),
  )
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]) => [
        key,
        typeof inner === 'object' && inner !== null && !Array.isArray(inner)
          ? withoutUndefined(inner)
          : inner,
      ]),
  )
}
