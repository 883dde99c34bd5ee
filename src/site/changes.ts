/**
 * Changes of sites, planned: each function reads the store and returns the effects to append, all of them or none.
 *
 * The configuration file and live changes meet here. What the file says about a site is remembered when it is applied:
 *
 *     reload   the file wins for every site it names; one that it no longer names goes; those set live alone stay
 *     start    the same for what changed in the file while the node was down; the rest stays as it was live
 *
 * So a restart keeps what was changed live, and a reload makes the node what the file says. What that replaces is told.
 */
import { createHash } from 'node:crypto'
import { EdgeError } from '../base/errors.ts'
import { checkSite } from '../config/check.ts'
import type { SiteConfig, SiteInput } from '../config/schema.ts'
import { claimKey, claimsOf, claimText } from '../config/site-claims.ts'
import { siteName } from '../config/site-name.ts'
import type { Effect, StoreView } from '../contract/store.ts'
import { FILE_KEY, listSites, readSite, siteKey, type NamedProblem, type SiteRecord } from './records.ts'

/** More would make one change too large to be prepared in time. */
export const SITES_MAX = 10_000

export interface SitePlan {
  readonly effects: readonly Effect[]
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  /** Of these, those that undo what was changed live. */
  readonly overridden: readonly string[]
}

export interface SiteOrigin {
  readonly folder: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Thrown with all that is wrong with the sites that were given. */
export class SitesInvalid extends EdgeError {
  readonly problems: readonly NamedProblem[]

  constructor(problems: readonly NamedProblem[]) {
    super('config-invalid', problems.map(problemText).join('; '))
    this.problems = problems
  }
}

export const problemText = ({ site, path, message }: NamedProblem): string =>
  `site ${site}: ${path === '' ? '' : `${path}: `}${message}`

/** Sets the sites, and leaves all others; with `replaceAll` the others go. */
export function planSet(
  store: StoreView,
  inputs: readonly SiteInput[],
  { folder, at, replaceAll = false }: SiteOrigin & { readonly replaceAll?: boolean },
): SitePlan {
  const given = named(inputs)
  const draft = new Draft(store)
  for (const [name, input] of given) draft.set(name, { input, folder, from: 'live', at })
  if (replaceAll) for (const name of draft.names()) if (!given.has(name)) draft.remove(name)
  return draft.plan()
}

export function planRemove(store: StoreView, names: readonly string[]): SitePlan {
  const draft = new Draft(store)
  for (const name of names) {
    if (!draft.has(name)) throw new EdgeError('site-unknown', `there is no site ${name.slice(0, 80)}`)
    draft.remove(name)
  }
  return draft.plan()
}

/** Applies what the file says: see above. */
export function planFile(
  store: StoreView,
  inputs: readonly SiteInput[],
  { folder, at, mode }: SiteOrigin & { readonly mode: 'start' | 'reload' },
): SitePlan {
  const given = named(inputs)
  const before = readApplied(store)
  const applied: Record<string, string> = {}
  const draft = new Draft(store)
  for (const [name, input] of given) {
    const print = fingerprint(input, folder)
    applied[name] = print
    if (mode === 'start' && before?.[name] === print) continue
    draft.set(name, { input, folder, from: 'file', at })
  }
  for (const name of Object.keys(before ?? {})) {
    if (!given.has(name) && draft.has(name)) draft.remove(name)
  }
  const plan = draft.plan()
  if (JSON.stringify(applied) === JSON.stringify(before ?? {})) return plan
  return {
    ...plan,
    effects: [...plan.effects, { operation: 'SET', key: FILE_KEY, value: JSON.stringify(applied) }],
  }
}

/** What the store says of sites now; what is returned tells later how to bring it back to that. */
export function planBack(store: StoreView): () => readonly Effect[] {
  const read = () => {
    const entries = new Map(store.list(siteKey('')))
    const applied = store.get(FILE_KEY)
    if (applied !== undefined) entries.set(FILE_KEY, applied)
    return entries
  }
  const before = read()
  return () => {
    const now = read()
    return [
      ...[...before].flatMap(([key, value]): Effect[] =>
        now.get(key) === value ? [] : [{ operation: 'SET', key, value }],
      ),
      ...[...now.keys()].flatMap((key): Effect[] => (before.has(key) ? [] : [{ operation: 'DELETE', key }])),
    ]
  }
}

/** Fails where a change was planned on another content than the caller has seen. */
export function expectVersion(
  store: StoreView,
  name: string,
  expected: number | 'none' | 'any' | undefined,
): void {
  if (expected === undefined) return
  const found = readSite(store, name)
  if (expected === 'any' ? found !== undefined : expected === 'none' ? !found : found?.version === expected)
    return
  const now = found === undefined ? 'is not there' : `is at version ${found.version}`
  throw new EdgeError('site-changed', `the site ${name} ${now}: it was changed meanwhile`)
}

/** The state after the change, and what differs from the one before. */
class Draft {
  readonly #store: StoreView
  readonly #before: ReadonlyMap<string, SiteRecord>
  readonly #after: Map<string, SiteRecord>

  constructor(store: StoreView) {
    this.#store = store
    this.#before = new Map(listSites(store))
    this.#after = new Map(this.#before)
  }

  names(): readonly string[] {
    return [...this.#after.keys()]
  }

  has(name: string): boolean {
    return this.#after.has(name)
  }

  set(name: string, site: Omit<SiteRecord, 'version'>): void {
    const before = this.#before.get(name)
    if (before && isSame(before, site)) {
      this.#after.set(name, before)
      return
    }
    this.#after.set(name, { ...site, version: this.#store.position().id + 1 })
  }

  remove(name: string): void {
    this.#after.delete(name)
  }

  plan(): SitePlan {
    this.#check()
    const names = (list: Iterable<string>) => [...list].toSorted()
    const changed = names(this.#after.keys()).filter(
      (name) => this.#after.get(name) !== this.#before.get(name),
    )
    const removed = names(this.#before.keys()).filter((name) => !this.#after.has(name))
    const isContent = (name: string) => {
      const [before, after] = [this.#before.get(name), this.#after.get(name)]
      return !before || !after || !isSame(before, { ...after, from: before.from })
    }
    return {
      effects: [
        ...changed.map((name): Effect => {
          const value = JSON.stringify(this.#after.get(name))
          return { operation: 'SET', key: siteKey(name), value }
        }),
        ...removed.map((name): Effect => ({ operation: 'DELETE', key: siteKey(name) })),
      ],
      added: changed.filter((name) => !this.#before.has(name)),
      changed: changed.filter((name) => this.#before.has(name) && isContent(name)),
      removed,
      overridden: [...changed, ...removed].filter(
        (name) => this.#before.get(name)?.from === 'live' && isContent(name),
      ),
    }
  }

  /** What the sites must be together; each by itself was checked when it came. */
  #check(): void {
    const problems: NamedProblem[] = []
    if (this.#after.size > SITES_MAX) {
      const message = `there are ${this.#after.size} sites; ${SITES_MAX} at most`
      problems.push({ site: '*', path: '', message })
    }
    const owner = new Map<string, string>()
    for (const [name, { input }] of this.#after) {
      for (const claim of claimsOf(input)) {
        const other = owner.get(claimKey(claim))
        if (other === undefined) owner.set(claimKey(claim), name)
        else {
          const message = `${claimText(claim)} belongs to the site ${other} already`
          problems.push({ site: name, path: claim.at, message })
        }
      }
    }
    if (problems.length > 0) throw new SitesInvalid(problems)
  }
}

/** Each input checked, by name. Throws `SitesInvalid` with the problems of all. */
export function named(inputs: readonly SiteInput[]): ReadonlyMap<string, SiteInput> {
  const problems: NamedProblem[] = []
  const sites = new Map<string, SiteInput>()
  for (const [index, input] of inputs.entries()) {
    const name = nameOf(input, index)
    const result = checkSite(input)
    if (result.kind === 'problems')
      problems.push(...result.problems.map((found) => ({ ...found, site: name })))
    else if (sites.has(name)) problems.push({ site: name, path: '', message: 'two sites are called so' })
    else sites.set(name, input)
  }
  if (problems.length > 0) throw new SitesInvalid(problems)
  return sites
}

function nameOf(input: unknown, index: number): string {
  const { name, hosts } = (typeof input === 'object' && input !== null ? input : {}) as Partial<SiteConfig>
  const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
  if (isText(name)) return name
  if (hosts === undefined || (Array.isArray(hosts) && hosts.every(isText))) return siteName({ hosts })
  return `[${index}]`
}

const isSame = (a: Omit<SiteRecord, 'version'>, b: Omit<SiteRecord, 'version'>): boolean =>
  a.from === b.from && a.folder === b.folder && JSON.stringify(a.input) === JSON.stringify(b.input)

const fingerprint = (input: SiteInput, folder: string): string =>
  createHash('sha256')
    .update(JSON.stringify([input, folder]))
    .digest('base64url')
    .slice(0, 22)

function readApplied(store: StoreView): Readonly<Record<string, string>> | undefined {
  const text = store.get(FILE_KEY)
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, string>)
}
