/** `edge.ban` as the worker reads it, with the node in the test's hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BanOutcome, BanRequest } from '../contract/bans.ts'
import type { HostAnswer } from '../contract/host-calls.ts'
import type { UnitVersion } from '../contract/unit.ts'
import { BanCalls } from './ban-calls.ts'
import { callOf } from './host-calls.support.ts'
import { startInShadow } from './shadow-calls.ts'

function stand(outcome: (request: BanRequest) => BanOutcome) {
  const asked: BanRequest[] = []
  const calls = new BanCalls({
    async ban(request) {
      asked.push(request)
      return outcome(request)
    },
  })
  const ask = (head: unknown, isShadow = false, of: Partial<UnitVersion> = {}): Promise<HostAnswer> => {
    const call = callOf('ban', head, { of })
    return new Promise((answer) => {
      if (isShadow) startInShadow({ start: (given, told) => calls.start(given, told) }, call, answer)
      else calls.start(call, answer)
    })
  }
  return { asked, ask }
}

const said = ({ head }: HostAnswer) => JSON.parse(head) as Record<string, unknown>

test('a ban is asked of the node in the name of its unit', async () => {
  const { asked, ask } = stand(({ prefix, forMs }) => ({ prefix: `${prefix}/32`, until: 1000 + forMs }))
  const answer = await ask({ target: '192.0.2.7', for: '10m', reason: 'tries' })
  assert.deepEqual(said(answer), { prefix: '192.0.2.7/32', until: 601_000 })
  assert.equal(answer.target, '192.0.2.7/32')
  await ask({ target: '2001:db8::/48', for: 1500 })
  assert.deepEqual(asked, [
    { prefix: '192.0.2.7', forMs: 600_000, reason: 'tries', by: 'unit gate' },
    { prefix: '2001:db8::/48', forMs: 1500, reason: '', by: 'unit gate' },
  ])
})

test('the sites that its deployer was limited to go along', async () => {
  const { asked, ask } = stand(() => ({ prefix: '192.0.2.7/32', until: 0 }))
  await ask({ target: '192.0.2.7', for: '1m' }, false, { sites: ['tv'] })
  assert.deepEqual(asked[0]?.sites, ['tv'])
})

test('why the node does not ban is thrown with its code', async () => {
  const { ask } = stand(() => ({ code: 'ban-invalid', message: '127.0.0.1 is never banned' }))
  assert.deepEqual(said(await ask({ target: '127.0.0.1', for: '1m' })), {
    name: 'Error',
    code: 'ban-invalid',
    message: 'edge.ban: 127.0.0.1 is never banned',
  })
})

test('what comes out of a sandbox is checked, and a shadow is told the same', async () => {
  const { asked, ask } = stand(() => ({ prefix: '', until: 0 }))
  for (const isShadow of [false, true])
    for (const [head, message] of [
      ['', /not in form/],
      ['null', /not in form/],
      [{ target: 5, for: '1m' }, /not in form/],
      [{ target: '192.0.2.7', for: '1m', reason: 5 }, /not in form/],
      [{ target: '1'.repeat(65), for: '1m' }, /is no address or prefix/],
      [
        { target: '192.0.2.7', for: 'soon' },
        /"soon" is not a time from "1s" to "366d", or as many milliseconds/,
      ],
      [{ target: '192.0.2.7' }, /undefined is not a time/],
      [{ target: '192.0.2.7', for: 0 }, /0 is not a time/],
      [{ target: '192.0.2.7', for: 1500.5 }, /1500\.5 is not a time/],
      [{ target: '192.0.2.7', for: '367d' }, /"367d" is not a time/],
    ] as const) {
      const { code, message: told } = said(await ask(head, isShadow))
      assert.equal(code, 'ban-invalid')
      assert.match(String(told), message)
    }
  assert.deepEqual(asked, [])
})

test('a shadow bans nobody, and is told that it did', async () => {
  const { asked, ask } = stand(() => ({ prefix: '', until: 0 }))
  const { prefix, until } = said(await ask({ target: '192.0.2.7', for: '10m' }, true))
  assert.equal(prefix, '192.0.2.7')
  assert.ok(Number(until) > Date.now())
  assert.deepEqual(asked, [])
})
