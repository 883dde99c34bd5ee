import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BodyGathering, type Room } from './caching/body-gathering.ts'
import { ClientPace } from './client-pace.ts'

const ROOM: Room = { reserve: () => true, release: () => {}, charge: () => {} }
const NEVER = () => assert.fail('nothing is broken')

test('what comes before its turn is gathered, does not hold up the origin, and goes out in order', () => {
  const gathering = new BodyGathering(ROOM, 0, 1000)
  let resumed = 0
  const pace = new ClientPace(
    { follow: () => gathering.follow(), isFilling: true },
    () => (resumed += 1),
    NEVER,
  )
  const come = (text: string): boolean => {
    gathering.append(Buffer.from(text))
    return pace.write(Buffer.from(text))
  }
  pace.ahead()
  assert.equal(come('one '), true)
  assert.equal(come('two '), true)
  const out: string[] = []
  let isWhole = false
  pace.open({
    write: (chunk) => out.push(chunk.toString()) > 0,
    end: () => (isWhole = true),
  })
  assert.equal(out.join(''), 'one two ')
  assert.equal(resumed, 1)
  come('three')
  pace.end([])
  assert.equal(out.join(''), 'one two three')
  assert.equal(isWhole, true)
})

test('all of it may be there before its turn', () => {
  const gathering = new BodyGathering(ROOM, 0, 1000)
  const pace = new ClientPace({ follow: () => gathering.follow(), isFilling: true }, () => {}, NEVER)
  pace.ahead()
  gathering.append(Buffer.from('whole'))
  pace.write(Buffer.from('whole'))
  const body = gathering.take()
  pace.end([])
  const out: string[] = []
  pace.open({ write: (chunk) => out.push(chunk.toString()) > 0, end: () => out.push('.') })
  assert.equal(out.join(''), 'whole.')
  body.release()
})
