/** `orla tail`: what units say and how they fail, as it happens. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { cleanEnvironment, ORLA } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const HELLO = `import type { Unit } from 'orla'
export default {
  paths: ['/hello'],
  content: (request) => {
    console.log('asked by', request.headers.get('user-agent'))
    return new Response('hello')
  },
} satisfies Unit
`
const THROWING = `import type { Unit } from 'orla'

interface Channel {
  readonly name: string
}

export default {
  paths: ['/throwing'],
  content(request) {
    const channel: Channel = { name: request.path }
    return play(channel)
  },
} satisfies Unit

function play(channel: Channel): never {
  throw new Error('no such channel')
}
`

const follow = (node: TestNode, ...argv: string[]) => {
  const child = spawn(ORLA, ['tail', ...argv], {
    env: { ...cleanEnvironment(), ORLA_CONTROL: node.control, ORLA_TOKEN: node.token },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<number | null>((resolve) => void child.on('close', resolve))
  return { child, ended, stdout: () => stdout, stderr: () => stderr }
}

test('follows logs and failures with the place in the file of the author, and ends at SIGINT', async (t) => {
  const node = await startNode(t, { units: { hello: HELLO, throwing: THROWING } })
  const all = follow(node)
  const one = follow(node, 'hello', '--json')
  t.after(() => [all, one].map(({ child }) => child.kill('SIGKILL')))
  // A tail tells what happens from its start on: first both have to be there.
  await eventually(async () => {
    await node.request('/hello', { headers: { 'user-agent': 'tester' } })
    return all.stdout() !== '' && one.stdout() !== ''
  })
  assert.match(all.stdout(), /^\d\d:\d\d:\d\d\.\d{3} hello@1 info asked by tester \(hello\.ts:5:13\)$/m)
  await node.request('/throwing')
  await eventually(() => all.stdout().includes('throwing@1'))
  // The place twice, for who looks for it and for who reads the stack; and nothing of what runs around the unit.
  assert.match(
    all.stdout(),
    /^\S+ throwing@1 error throw: Error: no such channel \(throwing\.ts:16:9\)\n +at play \(throwing\.ts:16:9\)\n +at Object\.content \(throwing\.ts:11:12\)$/m,
  )
  assert.doesNotMatch(all.stdout(), /orla-guest/)
  const [line] = one.stdout().split('\n')
  assert.equal((JSON.parse(line!) as { unit: string }).unit, 'hello')
  assert.doesNotMatch(one.stdout(), /throwing/)
  for (const { child, ended, stderr } of [all, one]) {
    child.kill('SIGINT')
    assert.deepEqual([await ended, stderr()], [0, ''])
  }
})

test('of a unit that talks too much it shows some lines, and says how many it left out', async (t) => {
  const node = await startNode(t, {
    units: {
      chat: `export default { paths: ['/chat'],
        content(request, edge) { for (let i = 0; i < 100; i++) edge.log('line', i); return new Response('') } }`,
    },
  })
  const all = follow(node, '--json')
  t.after(() => all.child.kill('SIGKILL'))
  await eventually(async () => {
    await node.request('/chat')
    return all.stdout() !== ''
  })
  for (let i = 0; i < 20; i++) await node.request('/chat')
  // Together they are what was said since the tail began: nothing is lost in silence.
  await eventually(() => {
    const events = all
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { dropped?: number })
    const left = events.reduce((sum, { dropped = 0 }) => sum + dropped, 0)
    const shown = events.filter(({ dropped }) => dropped === undefined).length
    return left > 0 && left + shown >= 2000 && (left + shown) % 100 === 0
  })
})

test('ends with 1 and says so when the node goes away', async (t) => {
  const node = await startNode(t, { units: { hello: HELLO } })
  const { ended, stderr, stdout, child } = follow(node)
  t.after(() => child.kill('SIGKILL'))
  await eventually(async () => {
    await node.request('/hello')
    return stdout() !== ''
  })
  await node.stop()
  assert.equal(await ended, 1)
  assert.match(stderr(), /the control plane ended the tail/)
})
