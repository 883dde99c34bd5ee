/** The control plane's API over a node that answers as one would, for the tests beside this file. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import * as v from 'valibot'
import { systemClock } from '../base/clock.ts'
import { EdgeError } from '../base/errors.ts'
import { openStore } from '../store/sqlite-store.ts'
import { controlApp } from './app.ts'
import type { CertificateInfo } from './certificate-shapes.ts'
import { type ControlledNode } from './node.ts'
import type { RolloutSummary } from './rollout-shapes.ts'
import * as shapes from './shapes.ts'
import type { RestoreResult, StoreStatus } from './store-shapes.ts'
import { Throttle } from './throttle.ts'
import { TokenRate } from './token-rate.ts'
import { ROOT, TokenBook } from './tokens.ts'

const folder = mkdtempSync(join(tmpdir(), 'orla-app-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const change: shapes.ChangeResult = {
  name: 'a',
  version: 1,
  epoch: 2,
  live: { workers: 1, of: 1 },
  ms: 1,
  timings: {},
  warnings: [],
}
const summary: shapes.UnitSummary = {
  name: 'a',
  version: 1,
  state: 'live',
  breaker: 'closed',
  phases: ['access'],
  manifest: {
    hosts: [],
    paths: [],
    methods: [],
    nodes: [],
    priority: 0,
    sample: { share: 1, by: 'random' },
    limits: { cpuMs: 10, wallMs: 1000, memoryMb: 32 },
    isolation: 'process',
  },
  env: [],
  secrets: [],
  deployedAt: 0,
}
const site: shapes.SiteSummary = {
  name: 'a',
  hosts: ['a'],
  paths: ['/*'],
  version: 3,
  from: 'file',
  at: 0,
  site: { hosts: ['a'], origin: 'http://127.0.0.1:1' },
}
const siteChange: shapes.SiteChange = {
  added: [],
  changed: ['a'],
  removed: [],
  overridden: [],
  epoch: 3,
  live: { workers: 1, of: 1 },
  ms: 1,
  timings: {},
}
const noPackets = {
  interfaces: [],
  prefixes: 0,
  totals: [],
  fragments: { packets: 0, bytes: 0 },
  ports: [],
}
const none = { requests: 0, errors: 0, serverErrors: 0 }
export const rollout: RolloutSummary = {
  kind: 'shadow',
  name: 'u',
  version: 2,
  from: 1,
  state: 'running',
  startedAt: 0,
  since: 0,
  new: none,
  old: none,
  share: 1,
  mayFetch: false,
  results: { same: 0, different: 0, failed: 0, skipped: 0 },
  notCompared: [],
  examples: [],
}
const certificate: CertificateInfo = {
  name: 'a',
  source: 'live',
  names: ['a.example'],
  notBefore: 0,
  notAfter: 1,
  state: 'expired',
  issuer: 'CN=a',
  fingerprint: 'ab',
  at: 0,
}
const position = { log: 'l', id: 0, hash: '' }
const ban = {
  prefix: '192.0.2.7',
  until: 1,
  reason: '',
  by: 'token root',
  node: 'n',
  at: 0,
  state: 'standing' as const,
}
const storeStatus: StoreStatus = {
  kind: 'embedded',
  path: 'orla.db',
  fileBytes: 4096,
  position,
  base: position,
  entries: 0,
  keys: 0,
  keep: { entries: 10, entriesForEdges: 100 },
  edges: [],
}
const names = { added: [], changed: [], removed: [] }
const restored: RestoreResult = {
  to: 1,
  from: 2,
  units: names,
  sites: names,
  dryRun: false,
  epoch: 3,
  live: { workers: 1, of: 1 },
  ms: 1,
  timings: {},
}

/** Answers as a node would; `asked` holds what the API asked it. */
export function stand(overrides: Partial<ControlledNode> = {}, limits = { burst: Infinity, perSecond: 1 }) {
  const asked: unknown[][] = []
  const mistakes: EdgeError[] = []
  const noting =
    <T>(what: string, answer: T) =>
    (...args: unknown[]): T => {
      asked.push([what, ...args])
      return answer
    }
  const edge = {
    name: 'n',
    role: 'control' as const,
    presence: 'connected' as const,
    groups: [],
    version: '0',
    epoch: 0,
    enabled: true,
    position,
    lag: 0,
    lastSeen: 0,
    addresses: ['127.0.0.1:1'],
    live: { workers: 0, of: 0 },
    workers: [],
  }
  const node: ControlledNode = {
    deploy: noting('deploy', Promise.resolve(change)),
    rollback: noting('rollback', Promise.resolve(change)),
    remove: noting('remove', Promise.resolve(change)),
    setEnabled: noting('setEnabled', Promise.resolve(change)),
    setAllEnabled: noting('setAllEnabled', Promise.resolve(change)),
    setEnv: noting('setEnv', Promise.resolve(change)),
    ban: noting(
      'ban',
      Promise.resolve({ bans: [{ ...ban, holes: [] }], live: { workers: 1, of: 1 }, ms: 1 }),
    ),
    unban: noting('unban', Promise.resolve({ lifted: ['192.0.2.7'], live: { workers: 1, of: 1 }, ms: 1 })),
    bans: noting('bans', { bans: [ban], total: 1, never: ['127.0.0.0/8'] }),
    orderBans: noting('orderBans', Promise.resolve([{ prefix: '192.0.2.7', until: 1 }])),
    rotateSecrets: noting(
      'rotateSecrets',
      Promise.resolve({ key: 'abcdef01', secrets: 0, versions: 0, certificates: 0 }),
    ),
    units: noting('units', Promise.resolve([summary])),
    rollouts: noting('rollouts', Promise.resolve([rollout])),
    rollout: noting('rollout', Promise.resolve(rollout)),
    moveRollout: noting('moveRollout', Promise.resolve(change)),
    unit: noting(
      'unit',
      Promise.resolve({
        ...summary,
        envValues: {},
        versions: [{ version: 1, live: true, at: 0, quarantined: false }],
        errors: [],
      }),
    ),
    sources: noting('sources', []),
    kv: {
      namespaces: noting('namespaces', [{ namespace: 'u', keys: 1, bytes: 4 }]),
      get: noting('kvGet', Buffer.from('value')),
      list: noting('kvList', { keys: [{ name: 'a/b' }], complete: true }),
      change: noting('kvChange', Promise.resolve({ value: 1 })),
    },
    reach: noting('reach', { hosts: [], paths: [], isolation: 'process' as const }),
    namespaceUsers: noting('namespaceUsers', []),
    certificates: noting('certificates', [certificate]),
    certificate: noting('certificate', certificate),
    setCertificate: noting('setCertificate', Promise.resolve({ certificate, live: siteChange.live, ms: 1 })),
    removeCertificate: noting(
      'removeCertificate',
      Promise.resolve({ certificate, live: siteChange.live, ms: 1 }),
    ),
    sites: noting('sites', [site]),
    site: noting('site', site),
    caches: noting('caches', Promise.resolve({ caches: [], top: [] })),
    limits: noting('limits', Promise.resolve([])),
    limitTop: noting('limitTop', Promise.resolve([])),
    steer: noting('steer', Promise.resolve([])),
    explainCache: noting('explainCache', Promise.resolve({ site: 'a', workers: [] })),
    origins: noting('origins', Promise.resolve([])),
    packet: noting('packet', noPackets),
    setSites: noting('setSites', Promise.resolve(siteChange)),
    removeSite: noting('removeSite', Promise.resolve(siteChange)),
    purge: noting('purge', Promise.resolve({ id: 3, soft: false, objects: 2, live: siteChange.live, ms: 1 })),
    upgrade: noting('upgrade', Promise.resolve({ pid: 2, version: '1', before: 1, ms: 5 })),
    reload: noting('reload', Promise.resolve({ ...siteChange, source: 'f', settings: [] })),
    edges: noting('edges', [edge]),
    forgetEdge: noting('forgetEdge', edge),
    follow: noting('follow', new ReadableStream<Uint8Array>()),
    report: noting('report', undefined),
    orderKv: noting('orderKv', Promise.resolve([])),
    secretKey: noting('secretKey', 'a2V5'),
    metrics: noting('metrics', Promise.resolve('up 1\n')),
    tail: noting('tail', () => {}),
    searchLog: noting('searchLog', [
      { id: 1, operation: 'SET' as const, key: 'k', value: 'v', at: 0, hash: 'h' },
    ]),
    storeBase: noting('storeBase', 0),
    storeStatus: noting('storeStatus', Promise.resolve(storeStatus)),
    verifyStore: noting('verifyStore', Promise.resolve({ ok: true, position })),
    restore: noting('restore', Promise.resolve(restored)),
    snapshot: noting('snapshot', { position, entries: new Map([['k', 'v']]) }),
    unready: noting('unready', []),
    ...overrides,
  }
  const store = openStore(mkdtempSync(join(folder, 's-')), { clock: systemClock })
  const tokens = new TokenBook(store, async (plan) => store.append(plan()), 'token', Date.now)
  void tokens.create({ name: 'a', role: 'read' }, ROOT)
  let hours = 0
  const app = controlApp({
    node,
    access: {
      tokens,
      // Nobody has to wait here.
      throttle: new Throttle(() => (hours += 3_600_000)),
      rate: new TokenRate(
        () => 0,
        () => limits,
      ),
      audit: store.audit,
      position: () => 0,
    },
    hosts: () => [],
    version: '0',
    onMistake: (error) => mistakes.push(error),
  })
  const call = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { authorization: 'Bearer token' },
  ) =>
    app.request(path, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  const problem = async (response: Response) => {
    assert.equal(response.headers.get('content-type'), 'application/problem+json')
    const details = v.parse(shapes.ProblemDetailsShape, await response.json())
    assert.equal(details.status, response.status)
    return details
  }
  return { asked, mistakes, call, problem }
}
