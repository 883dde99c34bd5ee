import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { eventually } from '../../test/harness/eventually.ts'
import { queryFor } from '../plugins/dns/testing/block.ts'
import { RCODE } from '../wire/dns/codes.ts'
import { LateAnswers } from './late-answers.ts'

test('an answer that comes in time is handed on, one that does not is SERVFAIL and says so', async () => {
  const late = new LateAnswers(20)
  const query = queryFor('example.org')
  query.answeredBy = 'slow'
  const never = Promise.withResolvers<typeof RCODE.REFUSED>()
  const hanging = late.bounded(query, never.promise)
  assert.equal(await late.bounded(queryFor('example.org'), Promise.resolve(RCODE.NOTIMP)), RCODE.NOTIMP)
  assert.equal(await hanging, RCODE.SERVFAIL)
  assert.match(query.explanations[0]!.text, /^slow: no answer within 0.02 s/)
  // What comes after that counts for nothing.
  never.resolve(RCODE.REFUSED)
  await late.idle(60_000)
})

test('no more than so many wait, and who ends waits for them', async () => {
  const late = new LateAnswers(60_000, 2)
  const waiting = [
    Promise.withResolvers<typeof RCODE.REFUSED>(),
    Promise.withResolvers<typeof RCODE.REFUSED>(),
  ]
  const answers = waiting.map(({ promise }) => late.bounded(queryFor('example.org'), promise))
  assert.equal(late.isFull, true)
  const oneMore = queryFor('example.org')
  assert.equal(await late.bounded(oneMore, Promise.reject(new Error('nobody listens'))), RCODE.SERVFAIL)
  assert.match(oneMore.explanations[0]!.text, /too many/)
  const idle = late.idle(60_000)
  waiting[0]!.resolve(RCODE.REFUSED)
  assert.equal(await answers[0], RCODE.REFUSED)
  assert.equal(late.isFull, false)
  waiting[1]!.reject(new Error('a chain never rejects; if it did'))
  assert.equal(await answers[1], RCODE.SERVFAIL)
  await idle
})

test('what was answered is not held by one in front of it that hangs', async () => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const late = new LateAnswers(60_000)
  const hanging = Promise.withResolvers<typeof RCODE.REFUSED>()
  const hangs = late.bounded(queryFor('hangs.example.org'), hanging.promise)
  const answered = await (async () => {
    const query = queryFor('example.org')
    await late.bounded(query, Promise.resolve(RCODE.NOTIMP))
    return new WeakRef(query)
  })()
  await eventually(() => {
    gc()
    return answered.deref() === undefined
  })
  hanging.resolve(RCODE.REFUSED)
  assert.equal(await hangs, RCODE.REFUSED)
})
