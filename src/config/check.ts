/**
 * Checks a configuration and tells every problem at once, each with its path and with what would be right.
 *
 * Values are checked by the schema. Unknown keys are looked for here, by a walk of our own: the schema's check stops at the
 * first one of an object, and does not know which key was meant.
 */
import * as v from 'valibot'
import { nearest } from '../base/nearest.ts'
import { isCertifiable } from './acme.ts'
import { limitsThatCannotBe } from './limit-checks.ts'
import type { LimitConfig } from './limit-schema.ts'
import { type Config, ConfigSchema, type SiteConfig } from './schema.ts'
import { claimKey, claimsOf, claimText } from './site-claims.ts'
import { isShared } from './shared-cache.ts'
import { siteName } from './site-name.ts'
import { sourceName } from './source-name.ts'

export interface Problem {
  /** Such as `sites[0].orgin`; empty for the whole. */
  readonly path: string
  /** What is wrong and what would be right, without the path. */
  readonly message: string
}

export type CheckResult =
  | { readonly kind: 'config'; readonly config: Config }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

export const checkConfig = (input: unknown): CheckResult => check(input, true)

/** `isWhole`: not a site by itself, for which something may lie elsewhere. */
function check(input: unknown, isWhole: boolean): CheckResult {
  const unknown: UnknownKey[] = []
  const problems: Problem[] = []
  walk(ConfigSchema, input, [], { unknown, problems })
  problems.unshift(...unknown.map(describeUnknown))
  const checked = v.safeParse(ConfigSchema, input)
  for (const issue of checked.issues ?? []) {
    problems.push(...describeIssue(issue, []).filter(({ path }) => !isMeantBySome(path, unknown)))
  }
  problems.push(...sitesLackingKeys(input).filter(({ path }) => !isMeantBySome(path, unknown)))
  if (checked.success && problems.length === 0)
    problems.push(
      ...claimedTwice(checked.output),
      ...sourcesNamedTwice(checked.output),
      ...listenersThatCannotBe(checked.output),
      ...slicesTooLarge(checked.output),
      ...limitsThatCannotBe(checked.output, isWhole),
    )
  if (problems.length > 0 || !checked.success) return { kind: 'problems', problems }
  return { kind: 'config', config: checked.output }
}

export type SiteCheckResult =
  | { readonly kind: 'site'; readonly site: SiteConfig }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

/** One site by itself, as it stands in the list of a configuration; paths count from the site. */
export function checkSite(input: unknown): SiteCheckResult {
  const result = check({ sites: [input] }, false)
  if (result.kind === 'config') return { kind: 'site', site: result.config.sites[0]! }
  const problems = result.problems.map(({ path, message }) => ({
    path: path.replace(/^sites\[0\]\.?/, ''),
    message: message.replaceAll('sites[0].', ''),
  }))
  return { kind: 'problems', problems }
}

export type LimitCheckResult =
  | { readonly kind: 'limit'; readonly limit: LimitConfig }
  | { readonly kind: 'problems'; readonly problems: readonly Problem[] }

/** One limit by itself, as it stands in the list of a configuration; paths count from the limit. */
export function checkLimit(input: unknown): LimitCheckResult {
  const result = check({ limits: [input] }, false)
  if (result.kind === 'config') return { kind: 'limit', limit: result.config.limits[0]! }
  const problems = result.problems.map(({ path, message }) => ({
    path: path.replace(/^limits\[0\]\.?/, ''),
    message: message.replaceAll('limits[0].', ''),
  }))
  return { kind: 'problems', problems }
}

type Path = readonly (string | number)[]

interface UnknownKey {
  readonly path: Path
  readonly meant: string | undefined
  readonly known: readonly string[]
}

/** What the walk looks at: `v.optional` wraps, `v.union`, `v.variant` and `v.picklist` have options, objects entries, lists items. */
interface SchemaNode {
  /** Of a variant: the entry by which its options are told apart. */
  readonly key?: unknown
  readonly literal?: unknown
  readonly wrapped?: SchemaNode
  readonly options?: readonly (SchemaNode | string | number)[]
  readonly entries?: Readonly<Record<string, SchemaNode>>
  readonly item?: SchemaNode
  readonly message?: unknown
}

interface Found {
  readonly unknown: UnknownKey[]
  readonly problems: Problem[]
}

/** Looks along schema and value for what the schema's own check does not say. */
function walk(node: SchemaNode, value: unknown, path: Path, found: Found): void {
  const shape = shapeFor(node, value)
  if (Array.isArray(value) && shape?.item) {
    for (const [index, element] of value.entries()) walk(shape.item, element, [...path, index], found)
  } else if (Array.isArray(value) && shape?.entries) {
    // To valibot a list is an object too.
    found.problems.push({ path: pathText(path), message: `expected an object, got ${valueText(value)}` })
  } else if (isRecord(value) && shape?.entries) {
    const known = Object.keys(shape.entries)
    for (const [key, inner] of Object.entries(value)) {
      const entry = Object.hasOwn(shape.entries, key) ? shape.entries[key] : undefined
      if (entry) walk(entry, inner, [...path, key], found)
      else found.unknown.push({ path: [...path, key], meant: nearest(key, known), known })
    }
  }
}

/** The object or list that stands for this value: behind `optional`, and of a union the option of that kind. */
function shapeFor(node: SchemaNode, value: unknown): SchemaNode | undefined {
  if (node.wrapped) return shapeFor(node.wrapped, value)
  if (!node.options) return node
  const fits = (option: SchemaNode) => (Array.isArray(value) ? option.item : option.entries) !== undefined
  const options = node.options.filter((option) => typeof option === 'object').filter(fits)
  const { key } = node
  const named =
    typeof key === 'string' && isRecord(value) && options.find((option) => isOfKind(option, key, value[key]))
  return named || options[0]
}

function isOfKind({ entries = {} }: SchemaNode, key: string, kind: unknown): boolean {
  const entry = entries[key]
  return kind !== undefined && (entry?.wrapped ?? entry)?.literal === kind
}

function describeUnknown({ path, meant, known }: UnknownKey): Problem {
  const guess = meant === undefined ? '' : `; did you mean \`${meant}\`?`
  const list = known.map((key) => `\`${key}\``).join(', ')
  return { path: pathText(path), message: `unknown key \`${path.at(-1)}\`${guess} (known here: ${list})` }
}

/** A key that is missing because it was misspelt is one problem, not two. */
function isMeantBySome(path: string, unknown: readonly UnknownKey[]): boolean {
  return unknown.some((key) => key.meant && pathText([...key.path.slice(0, -1), key.meant]) === path)
}

function describeIssue(issue: v.BaseIssue<unknown>, above: Path): Problem[] {
  const path = [...above, ...(issue.path ?? []).map((item) => item.key as string | number)]
  if (issue.type === 'strict_object' && issue.expected === 'never') return []
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    return [{ path: pathText(path), message: `missing; ${expectation(path, issue.path?.at(-1)?.input)}` }]
  }
  // Of a union, the option that was meant is the one whose inside was looked at.
  // To valibot a list is an object too: what it says of the keys that a list lacks is not meant.
  const inner = (issue.issues ?? []).filter(
    (sub) => sub.path !== undefined && (!Array.isArray(issue.input) || typeof sub.path[0].key === 'number'),
  )
  if (inner.length > 0) return inner.flatMap((sub) => describeIssue(sub, path))
  const said = issue.message.startsWith('expected') ? issue.message : `expected ${kindWord(issue.expected)}`
  return [{ path: pathText(path), message: isSecret(path) ? said : `${said}, got ${valueText(issue.input)}` }]
}

/** A token that is nearly right must not stand in a log. */
const isSecret = (path: Path): boolean =>
  /token$|^hmacKey$|^password$/i.test(String(path.at(-1))) ||
  (path[0] === 'telemetry' && path.includes('headers')) ||
  // They may hold a password.
  ((path[0] === 'sources' || path[0] === 'store') && path.includes('url'))

/** What the schema says about the value at a path, for one that `holder` lacks, which says of what kind it is. */
function expectation(path: Path, holder: unknown): string {
  let node: SchemaNode | undefined = ConfigSchema
  for (const [index, key] of path.entries()) {
    const value = index === path.length - 1 ? holder : typeof key === 'number' ? [] : {}
    const shape: SchemaNode | undefined = node && shapeFor(node, value)
    node = typeof key === 'number' ? shape?.item : shape?.entries?.[key]
  }
  const said = node?.message ?? node?.wrapped?.message
  return typeof said === 'string' ? said : 'expected a value'
}

const KIND_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  Array: 'a list',
  Object: 'an object',
}

const kindWord = (expected: string | null): string =>
  KIND_WORDS[expected ?? ''] ?? expected ?? 'another value'

/** The value as its author wrote it, cut where it is long. */
function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (isRecord(value)) return 'an object'
  if (typeof value === 'function') return 'a function'
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

function pathText(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else if (/^[\w$-]+$/.test(key)) text += text === '' ? key : `.${key}`
    else text += `[${JSON.stringify(key)}]`
  }
  return text
}

/**
 * A site is answered for by one of two: an origin, or files; and where it has a part of its hosts alone, it is not called by one of them.
 * Looked at as it is written, to tell it with all else.
 */
function sitesLackingKeys(input: unknown): Problem[] {
  const sites = isRecord(input) && Array.isArray(input['sites']) ? (input['sites'] as unknown[]) : []
  return sites.flatMap((site, index) => {
    if (!isRecord(site)) return []
    return [...withoutSource(site, index), ...withoutName(site, index)]
  })
}

function withoutSource(site: Record<string, unknown>, index: number): Problem[] {
  const count = ['origin', 'static'].filter((key) => site[key] !== undefined).length
  if (count === 1) return []
  const path = pathText(['sites', index, 'origin'])
  if (count === 2) return [{ path, message: 'stands beside `static`; a site has one of them' }]
  const expected = 'expected "http://HOST:PORT", or an object with `endpoints`'
  return [{ path, message: `missing; ${expected}; or \`static\` with a folder of files` }]
}

function withoutName({ name, paths }: Record<string, unknown>, index: number): Problem[] {
  if (paths === undefined || name !== undefined) return []
  const message = 'missing; a site with `paths` needs a name such as "tv-api", as others may have its hosts'
  return [{ path: pathText(['sites', index, 'name']), message }]
}

/** Which of two sites answers for a request must not depend on their order. */
function claimedTwice(config: Config): Problem[] {
  const owner = new Map<string, string>()
  const named = new Map<string, string>()
  return config.sites.flatMap((site, index) => {
    const at = pathText(['sites', index])
    const twice = claimsOf(site).flatMap((claim) => {
      const before = owner.get(claimKey(claim))
      if (before === undefined) owner.set(claimKey(claim), `${at}.${claim.at}`)
      return before === undefined
        ? []
        : [{ path: `${at}.${claim.at}`, message: `${claimText(claim)} stands at ${before} already` }]
    })
    const called = siteName(site)
    const other = named.get(called)
    if (other === undefined) named.set(called, at)
    // Where the name is that of a host, the host was told.
    if (other === undefined || (site.name === undefined && twice.length > 0)) return twice
    return [{ path: `${at}.name`, message: `${other} is called "${called}" already` }, ...twice]
  })
}

/** Units belong to a source by its name. */
function sourcesNamedTwice({ sources }: Config): Problem[] {
  const names = sources.map(sourceName)
  return names.flatMap((name, index) => {
    const first = names.indexOf(name)
    return first === index
      ? []
      : [{ path: `sources[${index}].name`, message: `sources[${first}] is called "${name}" already` }]
  })
}

/** A slice is stored as one object, so it has to be one that may be stored. */
function slicesTooLarge({ edge, sites }: Config): Problem[] {
  return sites.flatMap(({ cache }, i) => {
    if (cache?.slice === undefined) return []
    const disk = isShared({ cache }, edge.cache) ? edge.cache?.disk : cache.disk
    const bytesMax = Math.max(cache.objectBytes, disk?.objectBytes ?? 0)
    if (cache.slice <= bytesMax) return []
    const message = `is larger than an object may be that is kept; expected ${bytesMax} bytes at most, or a larger \`objectBytes\``
    return [{ path: `sites[${i}].cache.slice`, message }]
  })
}

/** What each key allows alone, and together makes no sense. */
function listenersThatCannotBe({ edge, sites }: Config): Problem[] {
  const problems: Problem[] = []
  for (const [index, { tls, h2c, redirectHttps, proxyProtocol }] of edge.listen.entries()) {
    const say = (key: string, message: string) =>
      problems.push({ path: `edge.listen[${index}].${key}`, message })
    if (proxyProtocol && edge.trustedProxies.length === 0)
      say('proxyProtocol', 'needs to know whom to believe; name the proxies in `edge.trustedProxies`')
    if (tls !== undefined && h2c)
      say('h2c', 'is HTTP/2 without TLS, and this listener has `tls`; `http2` is meant')
    if (tls !== undefined && redirectHttps !== false)
      say('redirectHttps', 'would send HTTPS to itself; it belongs to the listener without `tls`')
  }
  if (edge.acme === undefined) return problems
  const named = edge.acme.names ?? sites.flatMap(({ hosts }) => hosts.filter(isCertifiable))
  // A file without sites leaves them to be set live, and the names come with them.
  const mayComeLive = edge.acme.names === undefined && sites.length === 0
  if (named.length === 0 && !mayComeLive)
    problems.push({
      path: 'edge.acme.names',
      message: 'missing; no site has a host that is a plain name, so say which names to get certificates for',
    })
  if (!edge.listen.some(({ tls }) => tls !== undefined))
    problems.push({ path: 'edge.acme', message: 'needs a listener with `tls`; give `"tls": {}` to one' })
  if (edge.acme.challenge === 'http-01' && edge.listen.every(({ tls }) => tls !== undefined))
    problems.push({
      path: 'edge.acme.challenge',
      message: '"http-01" needs a listener without `tls`, on port 80 for the world; "tls-alpn-01" needs none',
    })
  return problems
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
