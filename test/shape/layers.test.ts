/**
 * The layers of the tree as a table: knowledge flows downwards, neighbours do not know each other.
 *
 *     cli, supervisor → compose → servers ──→ engines → contract → config → base
 *                                        └──→ wire ──────────────────────→ base
 *
 * The same picture stands in ARCHITECTURE.md. A new arrow is a line here, with a reason to give in its review.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRelative, specifiersOf, targetOf } from './imports.ts'
import { filesBelow, textOf } from './tree.ts'

/** What each folder (or file) of `src/` may import, besides itself. From the bottom up. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  base: [],
  config: ['base'],
  wire: ['base'],
  // `contract/origin.ts` speaks of heads and header lists.
  contract: ['base', 'config', 'wire'],
  cache: ['base', 'config', 'contract'],
  // The tier of a cache that lies on a disk.
  disk: ['base', 'config', 'contract'],
  limit: ['base', 'config', 'contract'],
  // Who is kept out, laid out to be asked for each connection.
  ban: ['base', 'config', 'contract'],
  store: ['base', 'config', 'contract'],
  // Its logs are chained as the store's.
  kv: ['base', 'config', 'contract', 'store'],
  // Keeps replicas of the log abreast of it, on control planes and edges.
  replication: ['base', 'config', 'contract', 'store'],
  // Copies what both keep.
  backup: ['base', 'contract', 'kv', 'store'],
  // BPF programs on network interfaces, and the maps that they share with us.
  packet: ['base', 'config', 'contract'],
  unit: ['base', 'config', 'contract'],
  site: ['base', 'config', 'contract'],
  tls: ['base', 'config', 'contract'],
  acme: ['base', 'config', 'contract'],
  // Units as others lay them out, and the Redis that they lie in.
  source: ['base', 'config', 'contract'],
  sandbox: ['base', 'config', 'contract'],
  // Sends what others noted; what a span is stands in the contract.
  telemetry: ['base', 'config', 'contract'],
  // A process of its own around the building and checking of units.
  checker: ['base', 'config', 'contract', 'unit'],
  http: ['base', 'config', 'contract', 'wire', 'cache', 'limit', 'ban', 'tls', 'unit'],
  // Zones and their records, found by name; and servers of others that are asked.
  zone: ['base', 'config', 'contract', 'wire'],
  upstream: ['base', 'config', 'contract', 'wire'],
  // Which edge a client is sent to.
  steer: ['base', 'config', 'contract', 'wire'],
  // Sockets, the Corefile and the chain; what stands in the chain is handed to it.
  // Which units a query meets is `unit`'s to say.
  dns: ['base', 'config', 'contract', 'wire', 'limit', 'unit'],
  // `cache`: which answer leaves where there are too many.
  plugins: ['base', 'config', 'contract', 'wire', 'cache', 'zone', 'upstream', 'steer', 'limit'],
  // Puts the DNS plane together, for a worker or for the command alone.
  'compose-dns.ts': ['base', 'config', 'contract', 'wire', 'limit', 'dns', 'plugins'],
  // What units ask of their worker: key/value data, `fetch`, the Redis of their source.
  host: ['base', 'config', 'contract', 'wire', 'kv', 'source', 'http'],
  control: ['base', 'config', 'contract', 'store', 'replication', 'unit', 'site'],
  // Runs a unit aside: its tests before a deploy, its bench. Its limits count in memory of their own.
  trial: ['base', 'config', 'contract', 'wire', 'kv', 'limit', 'host', 'unit', 'sandbox', 'http'],
  // The plane of a worker, loaded where there is one.
  'compose-worker-dns.ts': ['contract', 'unit', 'dns', 'compose-dns.ts'],
  'compose.ts': [
    'compose-worker-dns.ts',
    'base',
    'config',
    'contract',
    'wire',
    'cache',
    'disk',
    'limit',
    'unit',
    'sandbox',
    'http',
    'host',
    'telemetry',
    'trial',
    'compose-dns.ts',
  ],
  'worker.ts': ['base', 'config', 'contract', 'compose.ts'],
  supervisor: [
    'base',
    'config',
    'contract',
    'disk',
    // The memory in which limits count.
    'limit',
    'kv',
    'store',
    'replication',
    'tls',
    'acme',
    'packet',
    'source',
    'unit',
    'site',
    'sandbox',
    'telemetry',
    'checker',
    'control',
  ],
  // `store` for the copy from one engine to another, which no node runs; `cache` to try its policies on a trace.
  cli: [
    'base',
    'config',
    'contract',
    'cache',
    'packet',
    'store',
    'source',
    'unit',
    'backup',
    'trial',
    'checker',
    'control',
    'supervisor',
    'compose-dns.ts',
  ],
  'index.ts': ['config', 'unit'],
  // What plugins of the DNS plane from outside import as `orla/dns`.
  'dns-plugin.ts': ['contract', 'wire'],
}

/** Which part of the tree may use a package. What can call libc, or leave the isolate, has one home. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@hono/node-server': ['control'],
  '@redis/client': ['base', 'limit', 'source', 'store'],
  esbuild: ['checker', 'cli', 'sandbox'],
  hono: ['control'],
  'isolated-vm': ['sandbox'],
  koffi: ['base', 'packet'],
  typescript: ['checker'],
  'urlpattern-polyfill': ['sandbox'],
  valibot: ['config', 'control', 'replication', 'supervisor', 'unit'],
  'web-streams-polyfill': ['sandbox'],
}

interface Import {
  readonly file: string
  readonly from: string
  readonly to: string
}

const sources = filesBelow('src').filter((path) => path.endsWith('.ts'))

/** The part of `src/` that a file belongs to: its first folder, or the file itself. */
const partOf = (path: string): string => path.split('/')[1]!

/** Tests and benches may bring the real neighbours along. */
const isProgram = (path: string): boolean =>
  !/\.(?:test|bench|fuzz|contract|support)\.ts$|\/testing\//.test(path)

const imports: readonly Import[] = sources
  .filter(isProgram)
  .flatMap((file) => specifiersOf(file).map((to) => ({ file, from: partOf(file), to })))

/** Those of our own files, by path from the root. */
const ownImports = imports
  .filter(({ to }) => isRelative(to))
  .map(({ file, from, to }) => ({ file, from, to: targetOf(file, to) }))

test('every folder of src stands in the table of layers', () => {
  const parts = new Set(sources.map(partOf))
  assert.deepEqual(
    [...parts].filter((part) => !Object.hasOwn(LAYERS, part)),
    [],
  )
})

test('the table of layers only points downwards', () => {
  const order = Object.keys(LAYERS)
  for (const [part, below] of Object.entries(LAYERS)) {
    for (const target of below) {
      assert.ok(order.includes(target), `${part} may import ${target}, which is not in the table`)
      assert.ok(
        order.indexOf(target) < order.indexOf(part),
        `${part} may import ${target}, which is above it`,
      )
    }
  }
})

test('imports between the parts of src follow the table', () => {
  const wrong = ownImports
    .filter(({ to }) => to.startsWith('src/'))
    .filter(({ from, to }) => partOf(to) !== from && !LAYERS[from]?.includes(partOf(to)))
  assert.deepEqual(wrong.map(described), [])
})

test('src imports nothing of the tree outside of itself but package.json', () => {
  const outside = ownImports.filter(({ to }) => !to.startsWith('src/') && to !== 'package.json')
  assert.deepEqual(outside.map(described), [])
})

test('packages are used where the table says', () => {
  const wrong = imports
    .filter(({ to }) => !isRelative(to) && !to.startsWith('node:'))
    .filter(({ from, to }) => !PACKAGES[packageOf(to)]?.includes(from))
  assert.deepEqual(wrong.map(described), [])
})

test('every dependency that is shipped is used, and in the table', () => {
  const manifest = JSON.parse(textOf('package.json')) as { dependencies: Record<string, string> }
  // `node` is the program that runs the others.
  const shipped = Object.keys(manifest.dependencies).filter((name) => name !== 'node')
  assert.deepEqual(shipped.toSorted(), Object.keys(PACKAGES).toSorted())
  const used = new Set(imports.map(({ to }) => packageOf(to)))
  assert.deepEqual(
    shipped.filter((name) => !used.has(name)),
    [],
  )
})

test('imports of our own files are relative and end in .ts', () => {
  const wrong = imports.filter(({ to }) => isRelative(to) && !/\.(?:ts|json)$/.test(to))
  assert.deepEqual(wrong.map(described), [])
})

const described = ({ file, to }: Import): string => `${file} imports ${to}`

/** `@hono/node-server` of `@hono/node-server/serve-static`. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
