/** Four workers as one cache in a storm: workers that are killed, an origin that resets, clients that leave or are slow, and purges. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readlinkSync } from 'node:fs'
import { get } from 'node:http'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { PATIENT, startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

const KEYS = 20
const KILLS = 4
const CLIENTS = 200

/** Of every path its own: half of them short, half of 1 MiB. */
const bodies = Array.from({ length: KEYS }, (_, i) => {
  const seed = createHash('sha512').update(`/${i}`).digest()
  return Buffer.alloc(i % 2 === 0 ? 1000 + i : 1024 * 1024 + i, seed)
})

let state = 20_260_101
/** Between 0 and 1, the same in each run. */
function random(): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
  return state / 2 ** 32
}

/** How an answer ended. A wrong body fails the test. */
function once(
  node: TestNode,
  key: number,
  how: 'all' | 'leaves' | 'slow',
): Promise<'whole' | 'cut' | number> {
  return new Promise((resolve) => {
    const call = get(`${node.url}/${key}`, { agent: false }, (answer) => {
      if (answer.statusCode !== 200) {
        answer.resume().on('close', () => resolve(answer.statusCode!))
        return
      }
      const pieces: Buffer[] = []
      let hasLeft = false
      answer.on('data', (piece: Buffer) => {
        pieces.push(piece)
        if (how === 'leaves' && random() < 0.3) {
          hasLeft = true
          call.destroy()
        }
        if (how === 'slow') {
          answer.pause()
          setTimeout(() => answer.resume(), 20)
        }
      })
      answer.on('error', () => {})
      answer.on('close', () => {
        const body = Buffer.concat(pieces)
        const expected = bodies[key]!
        assert.ok(body.equals(expected.subarray(0, body.length)), `a wrong byte of /${key}`)
        const isWhole = answer.complete && !hasLeft
        if (isWhole) assert.equal(body.length, expected.length, `/${key} ends too early (${how})`)
        resolve(isWhole ? 'whole' : 'cut')
      })
    })
    call.on('error', () => resolve('cut'))
  })
}

/** Bodies in files of memory, and all descriptors, of the worker that has most. */
function descriptorsOf(node: TestNode) {
  const targets = node.processes().workers.map((pid) =>
    readdirSync(`/proc/${pid}/fd`).map((name) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${name}`)
      } catch {
        return ''
      }
    }),
  )
  return {
    workers: targets.length,
    bodies: Math.max(...targets.map((all) => all.filter((target) => target.includes('orla-body')).length)),
    all: Math.max(...targets.map((all) => all.length)),
  }
}

test('no wrong byte, no client that waits for ever, no process that dies by itself, and nothing left over', async (t) => {
  let isCalm = false
  const origin = await startOrigin(t, (request, response) => {
    const key = Number(request.url!.slice(1))
    const body = bodies[key]!
    const headers = { 'cache-control': 'max-age=2', 'cache-tag': `k${key}` }
    if (!isCalm && random() < 0.1) return void request.socket.destroy()
    response.writeHead(200, key % 4 < 2 ? headers : { ...headers, 'content-length': body.length })
    const half = Math.floor(body.length / 2)
    response.write(body.subarray(0, half))
    const isReset = !isCalm && random() < 0.1
    setTimeout(() => (isReset ? request.socket.destroy() : response.end(body.subarray(half))), 50 * random())
  })
  const node = await startNode(t, {
    config: {
      edge: { workers: 4, limits: PATIENT },
      sites: [
        { hosts: ['*'], origin: { endpoints: [origin.url], retries: { max: 0 } }, cache: { ram: '32mb' } },
      ],
    },
  })
  let isOver = false
  const ends = new Map<string | number, number>()
  const client = async (n: number) => {
    const how = n % 10 === 0 ? 'leaves' : n % 10 === 1 ? 'slow' : 'all'
    while (!isOver) {
      const end = await once(node, Math.floor(random() * KEYS), how)
      ends.set(end, (ends.get(end) ?? 0) + 1)
    }
  }
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, n) => client(n)))
  for (let round = 0; round < KILLS; round++) {
    const answered = () => ends.get('whole') ?? 0
    const before = answered()
    await eventually(() => answered() > before + 200)
    const { status } = await node.api('POST', '/v1/purge', { tags: [`k${round}`, `k${round + 7}`] })
    assert.ok(status === 200 || status === 503, `${status}`)
    const { workers } = node.processes()
    process.kill(workers[Math.floor(random() * workers.length)]!, 'SIGKILL')
    await eventually(() => descriptorsOf(node).workers === 4)
  }
  isOver = true
  await clients
  for (const end of ends.keys()) assert.ok(['whole', 'cut', 502, 503, 504].includes(end), `${end}`)
  isCalm = true
  assert.equal(
    node.stderr().match(/ended with signal SIGKILL|SIGKILL/g)?.length ?? KILLS,
    KILLS,
    node.stderr(),
  )
  // Each key, from each worker.
  for (let key = 0; key < KEYS; key++) {
    const calm = await Promise.all(
      Array.from({ length: 8 }, () => eventually(async () => (await once(node, key, 'all')) === 'whole')),
    )
    assert.equal(calm.length, 8)
  }
  const left = await eventually(() => {
    const now = descriptorsOf(node)
    return now.bodies <= KEYS ? now : undefined
  })
  assert.equal(left.workers, 4)
  // A few dozens that each process has, and kept connections to the origin and to each sibling.
  assert.ok(left.all < 700, `${left.all} descriptors`)
})
