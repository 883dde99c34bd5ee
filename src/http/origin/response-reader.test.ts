import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ResponseReader, type ResponseSink } from './response-reader.ts'

/** A reader and what it told, pieces of the body joined. */
function listening(onCall: (what: string, reader: ResponseReader) => void = () => {}) {
  const told: string[] = []
  const note = (what: string): void => {
    told.push(what)
    onCall(what, reader)
  }
  const sink: ResponseSink = {
    onInformational: ({ status }) => note(`interim ${status}`),
    onHead: ({ status }) => note(`head ${status}`),
    onData(chunk) {
      const text = chunk.toString('latin1')
      if (told.at(-1)?.startsWith('data ') === true) told[told.length - 1] += text
      else note(`data ${text}`)
    },
    onEnd: (trailers, isClean) => note(`end ${trailers.join(':')} ${isClean ? 'clean' : 'dirty'}`),
    onProblem: ({ reason }) => note(`problem ${reason}`),
  }
  const reader: ResponseReader = new ResponseReader(sink)
  return { reader, told }
}

function feed(reader: ResponseReader, text: string): void {
  const bytes = Buffer.from(text, 'latin1')
  reader.feed(bytes, bytes.length)
}

const INTERIM = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'

test('an answer is told the same, wherever it is split', () => {
  const table: readonly (readonly [text: string, told: readonly string[]])[] = [
    [
      `${INTERIM}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello`,
      ['interim 103', 'head 200', 'data hello', 'end  clean'],
    ],
    [
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX: y\r\n\r\n',
      ['head 200', 'data hello', 'end x:y clean'],
    ],
    ['HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n', ['head 404', 'end  clean']],
    ['HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n', ['problem Content-Length that is not a number']],
  ]
  for (const [text, expected] of table) {
    for (let first = 0; first <= text.length; first++) {
      for (const second of [first, Math.min(text.length, first + 7)]) {
        const { reader, told } = listening()
        reader.begin('GET')
        for (const piece of [text.slice(0, first), text.slice(first, second), text.slice(second)]) {
          if (piece !== '') feed(reader, piece)
        }
        assert.deepEqual(told, expected, `${JSON.stringify(text)} at ${first}, ${second}`)
        assert.equal(reader.state, 'idle')
      }
    }
  }
})

test('the end says whether anything followed', () => {
  for (const body of [
    'Content-Length: 2\r\n\r\nok',
    'Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ]) {
    const { reader, told } = listening()
    reader.begin('GET')
    feed(reader, `HTTP/1.1 200 OK\r\n${body}X`)
    assert.deepEqual(told, ['head 200', 'data ok', 'end  dirty'])
  }
  const { reader, told } = listening()
  reader.begin('HEAD')
  feed(reader, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  assert.deepEqual(told, ['head 200', 'end  dirty'])
})

test('only an answer without a length may end with the connection', () => {
  const table: readonly (readonly [text: string, isComplete: boolean])[] = [
    ['HTTP/1.1 200 OK\r\n\r\n', true],
    ['HTTP/1.1 200 OK\r\n\r\npart', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npart', false],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', false],
    ['HTTP/1.1 200 OK\r\n', false],
    ['', false],
  ]
  for (const [text, isComplete] of table) {
    const { reader, told } = listening()
    reader.begin('GET')
    if (text !== '') feed(reader, text)
    assert.equal(reader.endOfInput(), isComplete, text)
    assert.equal(told.includes('end  clean'), isComplete, text)
  }
})

test('a reader that is stopped from within tells nothing more', () => {
  const text = `${INTERIM}HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n1000\r\n${'x'.repeat(4096)}\r\n0\r\n\r\n`
  for (const last of ['interim', 'head', 'data']) {
    const { reader, told } = listening((what, reader) => {
      if (what.startsWith(last)) reader.stop()
    })
    reader.begin('GET')
    feed(reader, text)
    assert.ok(told.at(-1)!.startsWith(last))
    assert.ok(told.at(-1)!.length < 20)
    assert.equal(reader.state, 'idle')
  }
})

test('a reader serves one answer after the other', () => {
  const { reader, told } = listening()
  for (let i = 0; i < 3; i++) {
    reader.begin('GET')
    assert.equal(reader.isUntouched, true)
    feed(reader, 'HTTP/1.1 200 OK\r\nConte')
    feed(reader, 'nt-Length: 1\r\n\r\na')
    assert.equal(reader.isUntouched, false)
  }
  assert.deepEqual(told, Array.from({ length: 3 }, () => ['head 200', 'data a', 'end  clean']).flat())
})
