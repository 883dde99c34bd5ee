/** What a scrape tells of cache and origin. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'

test('the cache of a site and its origin can be read from the metrics', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const isFilm = request.url!.startsWith('/film')
    response.writeHead(200, { 'cache-control': 'max-age=60' }).end(isFilm ? 'x'.repeat(60_000) : 'small')
  })
  const hosts = ['tv.example.org']
  const node = await startNode(t, {
    config: { sites: [{ hosts, origin: origin.url, cache: { ram: '1mb' } }] },
  })
  const get = (path: string, method = 'GET') =>
    node.request(path, { method, headers: { host: 'tv.example.org' } })
  const read = async () => {
    const { text } = await node.api('GET', '/metrics')
    return (name: string) => {
      const [line] = text
        .split('\n')
        .filter((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{site="tv.example.org"} `))
      return Number(line?.slice(line.lastIndexOf(' ')))
    }
  }
  await get('/a')
  await get('/a')
  await get('/b')
  // A scrape does not wait long for a worker that is busy.
  const first = await eventually(async () => {
    const value = await read()
    return value('orla_cache_stored_total') === 2 && value
  })
  assert.ok(first('orla_cache_entries') >= 2)
  assert.ok(first('orla_cache_bytes') > 10)
  assert.deepEqual([first('orla_cache_evicted_total'), first('orla_cache_flights')], [0, 0])
  assert.equal(first('orla_origin_request_duration_seconds_count'), 2)
  assert.ok(first('orla_origin_connect_duration_seconds_count') >= 1)

  for (let n = 1; n <= 20; n++) await get(`/film/${n}`)
  await get('/film/20', 'POST')
  const then = await eventually(async () => {
    const value = await read()
    return value('orla_cache_invalidated_total') === 1 && value
  })
  assert.ok(then('orla_cache_evicted_total') >= 1)
  assert.ok(then('orla_cache_bytes') <= 1_048_576)
})
