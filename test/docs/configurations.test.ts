/**
 * The examples of the guides to origins and to files: each configuration is started as it is written, and what stands above
 * it happens.
 *
 * The pages speak of 10.0.0.1 to 10.0.0.3 at port 9000 and of a DNS server at 127.0.0.1:5353; here they are 127.0.0.1 to
 * 127.0.0.3 at a free port, and a server of our own. Besides the steps of `steps.ts`:
 *
 *     file public/a.txt text                 lies there before the node starts
 *     8 × GET / → 10.0.0.1 4, 10.0.0.2 4     who answers how many of them (`the same`: one answers all)
 *     10.0.0.1 stops | answers 503 | is silent
 *     dns app.internal 10.0.0.1 10.0.0.2     what the name has from now on
 *     start GET /slow                        a request that is not waited for
 *     metric name{…part of labels…} 3
 *     eventually STEP                        again and again until it holds
 */
import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { startDns, type TestDns } from '../harness/dns-server.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { blocksOf } from './markdown.ts'
import { pattern, runStep } from './steps.ts'

/** Pages, and how their examples are marked. */
const PAGES = { 'docs/guides/origins.md': 'origin', 'docs/guides/files.md': 'site' } as const
const NAMES = ['10.0.0.1', '10.0.0.2', '10.0.0.3']

interface Stage {
  readonly node: TestNode
  readonly servers: ReadonlyMap<string, GuideServer>
  readonly dns: TestDns
}

interface GuideServer {
  readonly server: Server
  behaves: number | 'silent'
  requests: number
}

test('the configurations in the guides do what the pages say', async (t) => {
  const blocks = Object.entries(PAGES).flatMap(([page, mark]) =>
    blocksOf(page).filter(({ marker }) => marker[0] === mark),
  )
  assert.ok(blocks.length >= 10, `only ${blocks.length} examples were found`)
  for (const { place, text, marker } of blocks) {
    await t.test(place, async (t) => {
      const { servers, port } = await startServers(t)
      const dns = await startDns(t, {})
      const isFile = (step: string) => step.startsWith('file ')
      const files = marker.filter(isFile).map((step) => /^file (\S+) (.*)$/.exec(step)!.slice(1))
      const steps = marker.slice(1).filter((step) => !isFile(step))
      // What a name has at first is there before the node asks.
      if (steps[0]?.startsWith('dns ') === true) setZone(dns, steps.shift()!)
      const config = here(text).replaceAll(':9000', `:${port}`).replaceAll('127.0.0.1:5353', dns.address)
      const node = await startNode(t, {
        config: JSON.parse(config) as ConfigInput,
        files: Object.fromEntries(files) as Record<string, string>,
      })
      for (const step of steps) await run(step, { node, servers, dns })
    })
  }
})

/** One port of three addresses. */
async function startServers(t: TestContext): Promise<{ servers: Map<string, GuideServer>; port: number }> {
  const servers = new Map<string, GuideServer>()
  let port = 0
  for (const name of NAMES) {
    const answer: RequestListener = (_, response) => {
      const own = servers.get(name)!
      own.requests += 1
      const { behaves } = own
      if (behaves === 'silent') return
      response.statusCode = behaves
      response.end(`${name}\n`)
    }
    const server = createServer(answer)
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, here(name), resolve)
    })
    port = (server.address() as AddressInfo).port
    servers.set(name, { server, behaves: 200, requests: 0 })
    t.after(() => stop(server))
  }
  return { servers, port }
}

function stop(server: Server): void {
  server.close()
  server.closeAllConnections()
}

const here = (text: string): string => text.replaceAll('10.0.0.', '127.0.0.')

function setZone(dns: TestDns, step: string): void {
  const [, name = '', ...addresses] = step.split(' ')
  dns.zones.set(name, { a: addresses.map(here), ttl: 1 })
}

async function run(step: string, stage: Stage): Promise<void> {
  const { node, servers, dns } = stage
  const [first = '', ...rest] = step.split(' ')
  if (first === 'eventually') {
    const again = async () => {
      await run(rest.join(' '), stage)
      return true
    }
    await eventually(again)
  } else if (first === 'dns') setZone(dns, step)
  else if (first === 'start') {
    const count = () => [...servers.values()].reduce((sum, { requests }) => sum + requests, 0)
    const before = count()
    ask(node.url + rest[1]!).catch(() => {})
    await eventually(() => count() > before)
  } else if (first === 'metric') await eventually(() => showsMetric(node, rest.join(' ')), { what: step })
  else if (NAMES.includes(first)) {
    const { server } = servers.get(first)!
    if (rest[0] === 'stops') stop(server)
    else servers.get(first)!.behaves = rest[1] === 'silent' ? 'silent' : Number(rest[1])
  } else if (rest[0] === '×') await runMany(Number(first), rest.slice(1).join(' '), node)
  else await runStep(step, { url: node.url, log: () => '' })
}

async function runMany(count: number, step: string, node: TestNode): Promise<void> {
  const [request = '', expected = ''] = step.split(' → ')
  const names: string[] = []
  for (let i = 0; i < count; i += 1) names.push((await node.request(request.split(' ')[1]!)).text.trim())
  const groups = [...Map.groupBy(names, (name) => name)].map(([name, all]) => `${name} ${all.length}`)
  if (expected === 'the same') assert.equal(groups.length, 1, step)
  else assert.equal(groups.toSorted().join(', '), expected, step)
}

async function showsMetric(node: TestNode, wanted: string): Promise<boolean> {
  const { text } = await node.api('GET', '/metrics')
  const line = new RegExp(`^${pattern(here(wanted)).source.replaceAll('[^]*', '.*')}$`, 'm')
  return line.test(text)
}
