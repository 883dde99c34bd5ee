/** HPACK: the examples of RFC 7541, what is no HPACK, and nghttp2 (in Node's client) as the other end, both ways. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type IncomingHttpHeaders } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { type Random, seededRandom } from '../http1/fuzz/random.ts'
import { FLAG, FRAME, headersFrames, PREFACE, SETTINGS_ACK, settingsFrame } from './frames.ts'
import { HpackDecoder, HpackError } from './hpack-decoder.ts'
import { encodeField, encodeFields, TABLE_EMPTIED } from './hpack-encoder.ts'

const LIMITS = { bytes: 100_000, count: 1000 }
const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const seed = Number(process.env['ORLA_FUZZ_SEED'] ?? Date.now() % 1_000_000_000)

test('the requests of appendix C.3 and C.4 are read, with one table over three blocks', () => {
  const plain = [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ]
  const huffman = [
    '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    '8286 84be 5886 a8eb 1064 9cbf',
    '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  ]
  for (const blocks of [plain, huffman]) {
    const decoder = new HpackDecoder()
    const [one, two, three] = blocks.map((hex) => decoder.decode(bytesOf(hex), LIMITS).join(' '))
    assert.equal(one, ':method GET :scheme http :path / :authority www.example.com')
    assert.equal(two, ':method GET :scheme http :path / :authority www.example.com cache-control no-cache')
    assert.equal(
      three,
      ':method GET :scheme https :path /index.html :authority www.example.com custom-key custom-value',
    )
  }
})

test('the answers of appendix C.6 are read, with entries that leave a table of 256 bytes', () => {
  const decoder = new HpackDecoder()
  const first = decoder.decode(
    bytesOf(
      '3fe101 4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
    ),
    LIMITS,
  )
  assert.deepEqual(first, [
    ':status',
    '302',
    'cache-control',
    'private',
    'date',
    'Mon, 21 Oct 2013 20:13:21 GMT',
    'location',
    'https://www.example.com',
  ])
  const second = decoder.decode(bytesOf('4883 640e ffc1 c0bf'), LIMITS)
  assert.deepEqual(second.slice(0, 4), [':status', '307', 'cache-control', 'private'])
})

test('what is no HPACK is refused', () => {
  const cases: [name: string, hex: string][] = [
    ['index 0', '80'],
    ['an index beyond the table', 'be'],
    ['a name beyond the table', '7e0161'],
    ['a table larger than agreed', '3fe21f'],
    ['a table size after a field', '8220'],
    ['an integer that does not end', 'ffffffffffffff'],
    ['an integer that is cut', 'ff'],
    ['a name that is cut', '000561'],
    ['a value that is missing', '000161'],
    ['a value longer than the block', '0001617fffff03'],
    ['the end of string in Huffman', '00016184fffffffc'],
    ['padding of 8 bits', '000161821fff'],
    ['padding by 0', '0001618118'],
  ]
  for (const [name, hex] of cases)
    assert.throws(() => new HpackDecoder().decode(bytesOf(hex), LIMITS), HpackError, name)
})

test('a list that is longer than allowed is cut, and the table is kept', () => {
  const decoder = new HpackDecoder()
  const fields = decoder.decode(bytesOf('4001610162 be be be'), { bytes: 100_000, count: 2 })
  assert.equal(decoder.isTooLarge, true)
  assert.equal(fields.length, 4)
  assert.deepEqual(decoder.decode(bytesOf('be'), LIMITS), ['a', 'b'])
  assert.equal(decoder.isTooLarge, false)
})

test('damaged blocks are read or refused, and nothing else', (t) => {
  t.diagnostic(`seed ${seed}`)
  const random = seededRandom(seed)
  let refused = 0
  for (let round = 0; round < 3000; round += 1) {
    const decoder = new HpackDecoder()
    for (let n = 0; n < 4; n += 1) {
      const block = Buffer.from(encodeFields(fieldsOf(random)), 'latin1')
      for (let damage = random.below(4); damage > 0; damage -= 1)
        block[random.below(block.length)] = random.below(256)
      try {
        const fields = decoder.decode(block.subarray(0, random.below(block.length + 1)), LIMITS)
        assert.equal(fields.length % 2, 0)
        for (const text of fields) assert.equal(typeof text, 'string', `seed ${seed}, round ${round}`)
      } catch (error) {
        if (!(error instanceof HpackError)) throw error
        refused += 1
        break
      }
    }
  }
  assert.ok(refused > 300, `refused ${refused}`)
})

const LETTERS = 'abcdefghijklmnopqrstuvwxyz-0123456789'
const TEXT = `${LETTERS}ABCDEFGHIJKLMNOPQRSTUVWXYZ !"#$%&'()*+,./:;<=>?@[]^_\`{|}~`

/** Names and values in turn; some are in the static table, some come again, some are long. */
function fieldsOf(random: Random): string[] {
  const fields: string[] = []
  for (let n = random.below(12); n >= 0; n -= 1) {
    const name = random.chance(0.3)
      ? random.pick(['accept', 'user-agent', 'etag', 'x-again', 'referer'])
      : `x-${random.text(1 + random.below(12), LETTERS)}`
    const length = random.chance(0.1) ? random.below(3000) : random.below(40)
    fields.push(name, random.chance(0.2) ? 'the same' : random.text(length, TEXT).trim())
  }
  return fields
}

/** One of each name: how clients put several of one together is not what this is about. */
const asRecord = (fields: readonly string[]): Record<string, string> => {
  const record: Record<string, string> = {}
  for (let i = 0; i < fields.length; i += 2) record[fields[i]!] = fields[i + 1]!
  return record
}

interface Served {
  readonly port: number
  /** Blocks of requests as they came. */
  readonly blocks: Buffer[]
}

/** Answers each head by what `answer` says for it: a server as small as can be. */
async function serve(t: TestContext, answer: (n: number) => string): Promise<Served> {
  const blocks: Buffer[] = []
  const server = createServer((socket: Socket) => {
    let rest = Buffer.alloc(0)
    let open: Buffer[] = []
    let isBegun = false
    socket.on('error', () => {}).write(settingsFrame([]), 'latin1')
    socket.on('data', (bytes: Buffer) => {
      rest = Buffer.concat([rest, bytes])
      if (!isBegun && rest.length >= PREFACE.length) {
        isBegun = true
        rest = rest.subarray(PREFACE.length)
      }
      while (isBegun && rest.length >= 9) {
        const end = 9 + rest.readUIntBE(0, 3)
        if (rest.length < end) return
        const [type, flags, stream] = [rest[3]!, rest[4]!, rest.readUInt32BE(5)]
        const payload = rest.subarray(9, end)
        rest = rest.subarray(end)
        if (type === FRAME.settings && (flags & FLAG.ack) === 0) socket.write(SETTINGS_ACK, 'latin1')
        if (type !== FRAME.headers && type !== FRAME.continuation) continue
        open.push((flags & FLAG.priority) !== 0 && type === FRAME.headers ? payload.subarray(5) : payload)
        if ((flags & FLAG.endHeaders) === 0) continue
        blocks.push(Buffer.concat(open))
        open = []
        socket.write(headersFrames(answer(blocks.length - 1), stream, true), 'latin1')
      }
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, blocks }
}

test('nghttp2 and we read each other: random lists, on one connection, both ways', async (t) => {
  t.diagnostic(`seed ${seed}`)
  const random = seededRandom(seed)
  const ROUNDS = 300
  for (const headerTableSize of [4096, 0, 100, 65_536]) {
    const asked = Array.from({ length: ROUNDS }, () => asRecord(fieldsOf(random)))
    const answers = Array.from({ length: ROUNDS }, () => asRecord(fieldsOf(random)))
    const { port, blocks } = await serve(t, (n) => {
      const block = encodeField(':status', '200') + encodeFields(Object.entries(answers[n]!).flat())
      // As `Outflow` does once the client has made its table smaller.
      return n === 0 && headerTableSize < 4096 ? TABLE_EMPTIED + block : block
    })
    const session = connect(`http://127.0.0.1:${port}`, { settings: { headerTableSize } })
    t.after(() => session.destroy())
    await once(session, 'remoteSettings')
    const decoder = new HpackDecoder()
    for (const [n, fields] of asked.entries()) {
      const stream = session.request({ ':path': `/${n}`, ...fields })
      const [headers] = (await once(stream.resume(), 'response')) as [IncomingHttpHeaders]
      const read = asRecord(decoder.decode(blocks[n]!, LIMITS))
      assert.equal(read[':path'], `/${n}`, `seed ${seed}`)
      for (const [name, value] of Object.entries(fields))
        assert.equal(read[name], value, `seed ${seed}: ${name}`)
      for (const [name, value] of Object.entries(answers[n]!))
        assert.equal(headers[name], value, `seed ${seed}: ${name}`)
    }
  }
})
