import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { EdgeError } from '../base/errors.ts'
import { loadConfig } from './load.ts'

async function folder(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'orla-config-'))
  t.after(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return path
}

const refusal = async (file: string | undefined, cwd: string): Promise<EdgeError> => {
  const error = await loadConfig(file, cwd).then(
    () => assert.fail('it was accepted'),
    (refused: unknown) => refused,
  )
  assert.ok(error instanceof EdgeError, String(error))
  return error
}

const TS = `import { defineConfig } from 'orla'
import { port } from './port.ts'
const origin: string = \`http://127.0.0.1:\${port}\`
export default defineConfig({ sites: [{ origin }] })`

test('a file in TypeScript is imported, with its own imports and types, and "orla" resolves', async (t) => {
  const cwd = await folder(t, { 'orla.config.ts': TS, 'port.ts': 'export const port: number = 9000' })
  const { config, source } = await loadConfig(undefined, cwd)
  assert.equal(config.sites[0]!.origin!.endpoints[0]!.url, 'http://127.0.0.1:9000')
  assert.equal(source, join(cwd, 'orla.config.ts'))
})

test('a file in JSON is found in the folder where the command runs', async (t) => {
  const cwd = await folder(t, { 'orla.config.json': '{"node": {"name": "gru1"}}' })
  const { config, source } = await loadConfig(undefined, cwd)
  assert.equal(config.node.name, 'gru1')
  assert.equal(source, join(cwd, 'orla.config.json'))
})

test('without a file there are the defaults, with no site, and data beside the command', async (t) => {
  const cwd = await folder(t, {})
  const { config, source } = await loadConfig(undefined, cwd)
  assert.deepEqual([config.sites, config.store.path, source], [[], join(cwd, 'data'), 'defaults'])
})

test('paths in a file count from the folder of the file', async (t) => {
  const origin = { endpoints: ['https://a.example'], tls: { ca: 'tls/ca.pem' } }
  const cwd = await folder(t, {
    'etc/edge.json': JSON.stringify({
      store: { path: '../data' },
      edge: { fetch: { ca: 'api-ca.pem' } },
      sites: [{ origin }],
    }),
    'etc/absolute.json': '{"store": {"path": "/var/lib/orla"}}',
    'etc/replica.json': JSON.stringify({
      store: { kind: 'replica', control: 'http://c', tokenFile: 'a.token', ca: '/ca.pem' },
    }),
    'etc/etcd.json': JSON.stringify({ store: { kind: 'etcd', url: 'https://e:1', tls: { ca: 'ca.pem' } } }),
  })
  const { config } = await loadConfig('etc/edge.json', cwd)
  assert.equal(config.store.path, join(cwd, 'data'))
  assert.equal(config.sites[0]!.origin!.tls.ca, join(cwd, 'etc/tls/ca.pem'))
  assert.equal(config.edge.fetch.ca, join(cwd, 'etc/api-ca.pem'))
  assert.equal((await loadConfig('etc/absolute.json', cwd)).config.store.path, '/var/lib/orla')
  const { store: edge } = (await loadConfig('etc/replica.json', cwd)).config
  assert.ok(edge.kind === 'replica')
  assert.deepEqual([edge.tokenFile, edge.ca], [join(cwd, 'etc/a.token'), '/ca.pem'])
  const { store: etcd } = (await loadConfig('etc/etcd.json', cwd)).config
  assert.ok(etcd.kind === 'etcd')
  assert.deepEqual([etcd.tls?.ca, etcd.path], [join(cwd, 'etc/ca.pem'), join(cwd, 'etc/data')])
})

test('a loaded configuration cannot be changed', async (t) => {
  const { config } = await loadConfig(undefined, await folder(t, {}))
  assert.throws(() => Object.assign(config.edge.limits, { idle: 1 }), TypeError)
  assert.throws(() => Object.assign(config.sites, [1]), TypeError)
})

test('all problems of a file stand in one message under its name', async (t) => {
  const cwd = await folder(t, { 'a.json': '{"edge": {"workers": 0}, "sites": [{"orgin": "x"}]}' })
  const error = await refusal('a.json', cwd)
  assert.equal(error.code, 'config-invalid')
  assert.equal(
    error.message.replace(/known here: [^)]*/, 'known here: …'),
    `${join(cwd, 'a.json')} has 2 problems:
  sites[0].orgin: unknown key \`orgin\`; did you mean \`origin\`? (known here: …)
  edge.workers: expected a whole number from 1 to 256, got 0`,
  )
})

/** Each file that cannot be read, with what is said about it. */
for (const [name, files, file, code, message] of [
  [
    'broken JSON is told with line, column and excerpt',
    { 'a.json': '{\n  "edge": {,\n}' },
    'a.json',
    'config-invalid',
    /a\.json:2:12: expected a key in double quotes, not `,`\n2 \| {3}"edge": \{,\n {2}\| {12}\^$/,
  ],
  ['a missing file is told', {}, 'b.json', 'config-missing', /b\.json cannot be read: there is no such file/],
  ['a folder is no file', { 'c.json/x': '' }, 'c.json', 'config-missing', /it is a directory/],
  [
    'another kind of file is refused',
    { 'a.yaml': '' },
    'a.yaml',
    'config-invalid',
    /neither a \.ts nor a \.json/,
  ],
  [
    'two default files are one too many',
    { 'orla.config.ts': '', 'orla.config.json': '' },
    undefined,
    'config-invalid',
    /holds both orla\.config\.ts and orla\.config\.json/,
  ],
  [
    'a module without a default export is refused',
    { 'a.ts': 'export const x = 1' },
    'a.ts',
    'config-invalid',
    /exports no configuration/,
  ],
  [
    'a syntax error in TypeScript is told with its line',
    { 'a.ts': 'const a: number = 1\nexport default {' },
    'a.ts',
    'config-invalid',
    /a\.ts cannot be loaded: [^]*a\.ts:2/,
  ],
  [
    'what is not erasable in TypeScript is told with its line',
    { 'a.ts': '\nenum A { B }\nexport default {}' },
    'a.ts',
    'config-invalid',
    /a\.ts:2[^]*enum/,
  ],
  [
    'an exception at the top level is told with the place in the file',
    { 'a.ts': '\nthrow new Error("no such region")' },
    'a.ts',
    'config-invalid',
    /no such region\n {4}at .*a\.ts:2:7\)?$/,
  ],
  [
    'an import that does not resolve is told',
    { 'a.ts': 'import "./none.ts"' },
    'a.ts',
    'config-invalid',
    /none\.ts/,
  ],
  [
    'the import of a folder says what is wrong',
    { 'a.ts': 'export default []' },
    'a.ts',
    'config-invalid',
    /a problem:\n {2}a\.ts: expected an object/,
  ],
] as const) {
  test(name, async (t) => {
    const error = await refusal(file, await folder(t, files))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.doesNotMatch(error.message, /node:internal/)
  })
}

test('paths of a store count from the folder of the file, whatever keeps it', async (t) => {
  const cwd = await folder(t, {
    'etc/redis.json': '{"store": {"kind": "redis", "url": "rediss://r", "tls": {"ca": "ca.pem"}}}',
    'etc/edge.json': '{"store": {"kind": "replica", "control": "http://c", "tokenFile": "../t"}}',
  })
  const { store } = (await loadConfig('etc/redis.json', cwd)).config
  assert.ok(store.kind === 'redis')
  assert.deepEqual([store.tls?.ca, store.path], [join(cwd, 'etc/ca.pem'), join(cwd, 'etc/data')])
  const edge = (await loadConfig('etc/edge.json', cwd)).config.store
  assert.ok(edge.kind === 'replica')
  assert.equal(edge.tokenFile, join(cwd, 't'))
})
