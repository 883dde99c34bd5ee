/** The examples for systemd and for containers: they name what there is, and fit the times of the node. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ROOT, textOf } from '../shape/tree.ts'

const service = textOf('examples/systemd/orla.service')
const dnsService = textOf('examples/dns/orla-dns.service')
const container = textOf('examples/container/Containerfile')
const ignored = textOf('.dockerignore')

const setting = (name: string, of = service): string | undefined =>
  new RegExp(`^${name}=(.*)$`, 'm').exec(of)?.[1]

/** The instructions of the container file, lines that go on joined. */
const instructions = container
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => ({ name: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1).trim() }))
const all = (name: string) => instructions.filter((one) => one.name === name).map(({ rest }) => rest)

const hasAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0

test(
  'systemd has nothing to say against the services',
  { skip: hasAnalyze ? false : 'systemd-analyze is missing' },
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'orla-service-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const verify = (text: string) => {
      const path = join(folder, 'orla.service')
      writeFileSync(path, text.replaceAll('/opt/orla/bin/orla', join(ROOT, 'bin/orla')))
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
        encoding: 'utf8',
      })
      return { status, told: stderr.split('\n').filter((line) => line.includes('orla.service')) }
    }
    assert.deepEqual(verify(service), { status: 0, told: [] })
    assert.deepEqual(verify(dnsService), { status: 0, told: [] })
    assert.notDeepEqual(verify(service.replace('KillMode=mixed', 'KillMode=gently')).told, [])
  },
)

test('systemd waits longer than a drain takes, and signals the supervisor alone', () => {
  const drain = /drain: v\.optional\(duration\(\), '(\d+)s'\)/.exec(textOf('src/config/schema.ts'))?.[1]
  // CHANGE_GRACE_MS and DRAIN_GRACE_MS of the node come on top.
  assert.ok(Number.parseInt(setting('TimeoutStopSec')!, 10) >= Number(drain) + 2 + 5)
  assert.equal(setting('KillMode'), 'mixed')
  assert.match(setting('ExecStop')!, /kill -TERM \$MAINPID && exec tail --pid=\$MAINPID/)
  assert.match(setting('ExecReload')!, /-HUP \$MAINPID$/)
  assert.equal(setting('OOMPolicy'), 'continue')
})

test('DNS under systemd has port 53 without root, is read again by the signal that it knows, and ends in time', () => {
  assert.equal(setting('AmbientCapabilities', dnsService), 'CAP_NET_BIND_SERVICE')
  assert.match(setting('ExecReload', dnsService)!, /-HUP \$MAINPID$/)
  assert.match(textOf('src/cli/commands/dns.ts'), /process\.on\('SIGHUP'/)
  const last = /^const LAST_ANSWERS_MS = (\d+)_000$/m.exec(textOf('src/dns/serving.ts'))?.[1]
  assert.ok(Number.parseInt(setting('TimeoutStopSec', dnsService)!, 10) >= Number(last) + 5 + 2)
  for (const line of ['ExecStartPre', 'ExecStart'])
    assert.match(setting(line, dnsService)!, /^\/opt\/orla\/bin\/orla dns --conf \/etc\/orla-dns\/Corefile/)
})

test('the walls of sandboxes stand under systemd: namespaces, a compiler, shared memory', () => {
  const used = [...textOf('src/sandbox/launch.ts').matchAll(/unshare ([^'"]*?) -- /g)].flatMap(([, flags]) =>
    flags!.split(' ').filter((flag) => !/^--(?:map|keep)-/.test(flag)),
  )
  assert.deepEqual(
    [...new Set(used)].map((flag) => flag.slice(2)).toSorted(),
    setting('RestrictNamespaces')!.split(' ').toSorted(),
  )
  for (const forbidden of ['MemoryDenyWriteExecute', 'ProtectProc', 'PrivateIPC'])
    assert.equal(setting(forbidden), undefined)
})

test('what the container copies is there and not ignored', () => {
  const own = all('COPY')
    .filter((rest) => !rest.startsWith('--from'))
    .flatMap((rest) => rest.split(/\s+/).slice(0, -1))
  assert.ok(own.length >= 5)
  for (const path of own) {
    assert.ok(existsSync(join(ROOT, path)), path)
    assert.ok(ignored.split('\n').includes(`!${path}`), `${path} is in .dockerignore`)
  }
})

test('the container is built with the command of the README, and everything else is a system package', () => {
  const [install, ...others] = all('RUN')
  assert.equal(install, 'npm ci --omit=dev')
  assert.match(textOf('README.md'), /^npm ci && npm start/m)
  for (const other of others) assert.match(other, /^(?:apt-get update|useradd|rm -r node_modules\/) ?/)
  const { dependencies } = JSON.parse(textOf('package.json')) as { dependencies: object }
  for (const name of ['node', 'typescript', 'esbuild'])
    assert.ok(name in dependencies, `${name} without --omit=dev`)
})

test('the container runs as nobody in particular, drains, and is asked whether it is ready', () => {
  assert.match(all('USER').at(-1)!, /^[1-9]\d*$/)
  assert.deepEqual(all('STOPSIGNAL'), ['SIGTERM'])
  const command = /CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0]!)![1]!
  const [program, flag, script] = JSON.parse(command) as string[]
  assert.equal(program, '/opt/orla/node_modules/node/bin/node')
  assert.match(script!, /\/readyz/)
  const nobody = script!.replace(':8081', ':1')
  assert.equal(spawnSync(process.execPath, [flag!, nobody]).status, 1)
})
