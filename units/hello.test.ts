import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { openUnit } from './harness.ts'

const unit = await openUnit('hello.ts')
after(() => unit.close())

test('it says hello to whom the query names', () => {
  const answer = unit.run({ phase: 'content', url: 'http://example.org/hello?name=J%C3%B3%20%2B' })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
  assert.equal(answer.body, 'hello Jó +\n')
})

test('it says hello to the edge where nobody is named', () => {
  assert.equal(unit.run({ phase: 'content', url: 'http://example.org/hello' }).body, 'hello edge\n')
})
