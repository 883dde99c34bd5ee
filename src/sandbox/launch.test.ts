/** What a sandbox process may do, seen from outside and tried from within. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { AS_USER } from './launch.ts'
import { go, startRunner, step, unit } from './testing/runner.ts'

const isRoot = process.getuid?.() === 0

test('a sandbox has no rights, no network and no environment', async () => {
  const { runner, close } = await startRunner()
  try {
    assert.equal((await go(runner, [step(unit('access() {}'), 'access')])).kind, 'next')
    const [pid] = runner.sandboxPids
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const { protections } = runner
    assert.ok(protections.includes('no-files'))
    if (protections.includes('no-new-privileges')) assert.match(status, /^NoNewPrivs:\t1$/m)
    if (protections.includes('no-network')) {
      assert.notEqual(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync('/proc/self/ns/net'))
    }
    if (isRoot) {
      assert.ok(protections.includes('no-user'))
      assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
      assert.match(status, /^CapEff:\t0+$/m)
      assert.match(status, /^CapPrm:\t0+$/m)
      assert.equal(readFileSync(`/proc/${pid}/environ`, 'latin1'), '')
    }
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1').trim(), '1000')
  } finally {
    await close()
  }
})

/** Whoever runs the node, where that is not root: nobody needs to be in a file of users for that. */
const SOMEBODY = isRoot ? { uid: 10_001, gid: 10_001 } : {}
const hasUserNamespaces = spawnSync('unshare', ['--user', 'true'], { cwd: '/', ...SOMEBODY }).status === 0

test(
  'started by another user than root it has no network and no rights either',
  { skip: hasUserNamespaces ? false : 'this machine forbids user namespaces' },
  () => {
    const [program, ...args] = AS_USER[0]!.command
    const seen = spawnSync(program!, [...args, 'cat', '/proc/self/status', '/proc/self/net/dev'], {
      cwd: '/',
      encoding: 'utf8',
      ...SOMEBODY,
    })
    assert.equal(seen.stderr, '')
    assert.equal(seen.status, 0)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      assert.match(seen.stdout, new RegExp(`^${set}:\\t0+$`, 'm'))
    assert.match(seen.stdout, /^NoNewPrivs:\t1$/m)
    assert.deepEqual(
      [...seen.stdout.matchAll(/^ *(\w+): /gm)].map(([, name]) => name),
      ['lo'],
    )
  },
)

test('a sandbox ends when its worker is gone', async () => {
  const { runner, close } = await startRunner()
  await go(runner, [step(unit('access() {}'), 'access')])
  const pids = runner.sandboxPids
  await close()
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
})

/** A sandbox that was taken over: it says that it is ready, and answers with noise. */
const TAKEN_OVER = (answer: string): string => `
import { Socket } from 'node:net'
const socket = new Socket({ fd: 3 })
const head = (length, kind, seq, slot, a = 0, b = 0) => {
  const bytes = Buffer.alloc(24)
  ;[length, kind, seq, slot, a, b].forEach((value, index) => bytes.writeUInt32LE(value, index * 4))
  return bytes
}
socket.write(head(0, 10, 0, 0))
socket.on('data', () => { ${answer} })
socket.on('end', () => process.exit())
`

for (const [what, answer] of [
  ['noise', `socket.write(Buffer.alloc(100, 0xa7))`],
  ['a frame that is too long', `socket.write(head(0x7fffffff, 11, 1, 1))`],
  ['an answer that is not due', `socket.write(head(0, 11, 4711, 1))`],
  ['an answer to a unit that is not there', `socket.write(head(0, 11, 1, 99))`],
  ['a list longer than its frame', `socket.write(head(0, 11, 0, 1, 0, 4000000000))`],
  ['kinds that are none', `socket.write(head(0, 99, 1, 1))`],
  ['endless readiness', `socket.write(head(0, 10, 0, 0))`],
  [
    'made-up records',
    `socket.write(Buffer.concat([head(18, 11, 1, 1), Buffer.from('1 1 0 0 0 0 0 0 \\n5')]))`,
  ],
] as const) {
  test(`a sandbox that was taken over and sends ${what} harms its worker no further`, async () => {
    const { runner, close } = await startRunner({}, (paths) =>
      writeFileSync(paths.sandbox, TAKEN_OVER(answer)),
    )
    try {
      const outcome = await go(runner, [step(unit('access() {}', { limits: { wallMs: 100 } }), 'access')])
      assert.equal(outcome.kind, 'failed')
    } finally {
      await close()
    }
  })
}
