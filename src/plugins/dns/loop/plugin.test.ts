/** What `loop` takes and refuses, and that it finds a loop and nothing else. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '../../../../test/harness/eventually.ts'
import { answerTo, faultServer } from '../../../upstream/testing/fault-server.ts'
import { DnsMessage } from '../../../wire/dns/message.ts'
import { encodeMessage } from '../../../wire/dns/message-writer.ts'
import { blockOf, type TestBlock } from '../testing/block.ts'
import forward from '../forward/plugin.ts'
import loop from './plugin.ts'

for (const [text, message] of [
  ['loop argument', /Wrong argument count/],
  ['loop\nloop', /can only be used once/],
  ['loop {\n more\n}', /unknown property 'more'/],
] as const)
  test(`it refuses: ${text.replaceAll('\n', ';')}`, async (t) => {
    await assert.rejects(blockOf(t, text, { plugins: [loop] }), message)
  })

test('it takes no argument', async (t) => {
  await blockOf(t, 'loop', { plugins: [loop] })
})

/** A server block that forwards to a server; what that one is asked goes to `onQuery`. */
async function forwarding(
  t: TestContext,
  onQuery: (query: DnsMessage, block: TestBlock) => Promise<Buffer | undefined>,
) {
  const ended: string[] = []
  const asked: string[] = []
  const world: { block?: TestBlock } = {}
  const server = await faultServer(t, {
    onPacket: async (bytes, send) => {
      const query = DnsMessage.decode(bytes)
      asked.push(query.question[0]!.name.toString())
      const block = await eventually(() => world.block)
      const answer = await onQuery(query, block)
      if (answer) send(answer)
    },
  })
  world.block = await blockOf(t, `loop\nforward . ${server.address}`, {
    plugins: [loop, forward],
    host: { end: (why) => void ended.push(why) },
  })
  return { ended, asked, block: world.block }
}

test('a forward that leads back ends the server', async (t) => {
  const { ended, block } = await forwarding(t, async (query, back) => {
    const { name } = query.question[0]!
    const outcome = await back.ask(name.toString(), 'HINFO')
    if (!(outcome instanceof DnsMessage)) return undefined
    outcome.id = query.id
    return encodeMessage(outcome)
  })
  await eventually(() => ended.length > 0)
  assert.match(
    ended[0]!,
    /^plugin\/loop: Seen "HINFO IN \d+\.\d+\.example\.org\." more than twice, loop detected/,
  )
  assert.ok(block.logged.some((line) => line.startsWith('error loop: Seen')))
  assert.equal(ended.length, 1)
})

test('a forward that leads elsewhere does not', async (t) => {
  const { ended, asked, block } = await forwarding(t, async (query) => answerTo(encodeMessage(query)))
  await eventually(() => asked.length === 1)
  for (let index = 0; index < 5; index++) await block.ask('other.example.org', 'HINFO')
  for (let index = 0; index < 5; index++) await block.ask(asked[0]!, 'A')
  assert.deepEqual(ended, [])
})
