/** Ranges, slices, changes and writes all at once, from a seed: whatever a client gets whole is of one version, byte for byte. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { divisible, startDivisibleOrigin } from '../harness/divisible-origin.ts'
import { PATIENT, startNode } from '../harness/node.ts'

const SLICE = 64 * 1024
const ROUNDS = 60
const CLIENTS = 8

const bodies = new Map<string, Buffer>()

/** Each version has bytes of its own, at each place, and a length of its own. */
function bodyOf(path: string, version: number): Buffer {
  const known = bodies.get(`${path} ${version}`)
  if (known !== undefined) return known
  // A prime number of them: no two slices are the same.
  const pattern = createHash('shake256', { outputLength: 10_007 }).update(`${path} ${version}`).digest()
  const body = Buffer.alloc(3 * SLICE + version * 1000, pattern)
  bodies.set(`${path} ${version}`, body)
  return body
}

function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => (state = (state * 48_271) % 2_147_483_647) % below
}

async function storm(t: TestContext, cache: object, seed: number): Promise<void> {
  const next = chance(seed)
  const origin = await startDivisibleOrigin(t, {})
  const sites = [{ origin: origin.url, cache: { ram: '2mb', ...cache } }]
  const node = await startNode(t, { config: { edge: { limits: PATIENT }, sites } })
  const paths = ['/a', '/b', '/c']
  const versions = new Map(paths.map((path) => [path, 0]))
  const publish = (path: string) => {
    const version = versions.get(path)! + 1
    versions.set(path, version)
    origin.objects[path] = divisible(bodyOf(path, version), `"${version}"`, `max-age=${next(3)}`)
  }
  for (const path of paths) publish(path)
  let lied = 0
  origin.instead = (request, response) => {
    const lie = next(40)
    const { body, etag } = origin.objects[request.url!]!
    const place = `bytes 0-99/${body.length}`
    const head = { etag, 'cache-control': 'max-age=60' }
    lied += 1
    if (lie === 0) response.writeHead(206, { ...head, 'content-range': place }).end(body.subarray(0, 50))
    else if (lie === 1)
      response.writeHead(206, { ...head, 'content-range': place }).end(body.subarray(7, 107))
    else if (lie === 2) response.destroy()
    else if (lie === 3) response.writeHead(503, { 'cache-control': 'no-store' }).end()
    else lied -= 1
    return lie <= 3
  }
  let whole = 0
  const ask = async () => {
    const path = paths[next(paths.length)]!
    const kind = next(10)
    if (kind === 0) publish(path)
    const start = next(4 * SLICE)
    const range = [`${start}-${start + next(2 * SLICE)}`, `${start}-`, `-${1 + next(SLICE)}`][next(3)]!
    const headers: Record<string, string> = kind < 7 ? { range: `bytes=${range}` } : {}
    const method = kind === 1 ? 'POST' : 'GET'
    const answer = await node.request(path, { headers, method }).catch(() => undefined)
    if (answer === undefined || method === 'POST' || ![200, 206].includes(answer.status)) return
    const version = Number(/^"(\d+)"$/.exec(answer.headers.etag!)![1])
    const body = bodyOf(path, version)
    const what = `seed ${seed}: ${path} ${headers.range ?? ''} → ${answer.status} ${answer.headers['content-range'] ?? ''}`
    if (answer.status === 200) {
      assert.ok(answer.body.equals(body), what)
      whole += 1
      return
    }
    const [, first, last, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers['content-range']!)!
    const length = Number(last) + 1 - Number(first)
    // What was passed on of a lie says so itself: it is not the range that was asked for.
    if (first === '0' && last === '99' && range !== '0-99') return
    assert.equal(Number(size), body.length, what)
    assert.equal(answer.body.length, length, what)
    assert.ok(answer.body.equals(body.subarray(Number(first), Number(last) + 1)), what)
    whole += 1
  }
  for (let i = 0; i < ROUNDS; i++) await Promise.all(Array.from({ length: CLIENTS }, ask))
  assert.ok(whole > (ROUNDS * CLIENTS) / 2, `${whole} of ${ROUNDS * CLIENTS}, ${lied} lies`)
  assert.equal(/TypeError|AssertionError|uncaught/i.test(node.stderr()), false, node.stderr())
  // And when all is quiet, everything is there.
  origin.instead = () => false
  for (const path of paths) {
    await node.request(path, { method: 'POST' })
    assert.ok((await node.request(path)).body.equals(bodyOf(path, versions.get(path)!)))
  }
}

const seed = Number(process.env.SEED ?? 1 + (Date.now() % 1_000_000))

test(`parts in a storm, seed ${seed}`, (t) => storm(t, {}, seed))
test(`slices in a storm, seed ${seed}`, (t) => storm(t, { slice: '64kb' }, seed))
