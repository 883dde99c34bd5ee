/**
 * CPU time of a trip through the token unit, worker and sandbox together, by how many are in flight.
 *
 *     node src/sandbox/sandbox.bench.ts [--seconds 2] [--inline]
 *
 * For scale: the same unit in nginx with Lua costs about 4 µs more than a request without it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { startRunner, step, unit } from './testing/runner.ts'

const seconds = Number(process.argv[process.argv.indexOf('--seconds') + 1]) || 2
const isolation = process.argv.includes('--inline') ? 'inline' : 'process'
const HEAD = `GET /small?token=token HTTP/1.1\r
Host: 127.0.0.1:19002\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36\r
Accept: */*\r
`
const META = '{"client":{"address":"127.0.0.1","port":50000},"scheme":"http"}'
const TOKEN = `rewrite(request) { request.path = request.path.slice(0) },
access(request, response) {
  const token = request.query.get('token') ?? request.cookies.get('superstition')
  if (token !== 'token') return new Response('forbidden', { status: 403 })
  response.headers.append('set-cookie', 'superstition=token')
}`

/** User and system time of all threads of a process, in microseconds: from the kernel's nanoseconds. */
function cpuUs(pid: number): number {
  let ns = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
  }
  return ns / 1000
}

const { runner, lines, close } = await startRunner()
const steps = [step(unit(TOKEN, { manifest: { isolation } }), 'rewrite', 'access')]

/** Keeps `inFlight` trips under way; each turn of the event loop sends what was answered, as a server would. */
function load(inFlight: number, ms: number): Promise<number> {
  return new Promise((resolve) => {
    let trips = 0
    let open = inFlight
    const end = performance.now() + ms
    const done = (): void => {
      trips++
      if (performance.now() < end) runner.run(trip)
      else if (--open === 0) resolve(trips)
    }
    const trip = { steps, meta: META, head: HEAD, response: '', edits: '', body: '', done }
    for (let index = 0; index < inFlight; index++) runner.run(trip)
  })
}

for (const inFlight of process.env.ONLY ? [Number(process.env.ONLY)] : [1, 8, 32, 64]) {
  await load(inFlight, 500)
  const [sandbox] = runner.sandboxPids
  const workerBefore = process.cpuUsage()
  const sandboxBefore = cpuUs(sandbox!)
  const trips = await load(inFlight, seconds * 1000)
  const worker = process.cpuUsage(workerBefore)
  const sandboxUs = (cpuUs(sandbox!) - sandboxBefore) / trips
  const user = worker.user / trips
  const system = worker.system / trips
  console.log(
    `${isolation} ${String(inFlight).padStart(2)} in flight: ${(user + system + sandboxUs).toFixed(2)} µs ` +
      `(worker ${user.toFixed(2)} user ${system.toFixed(2)} system, sandbox ${sandboxUs.toFixed(2)}), ${trips} trips`,
  )
}
await close()
if (lines.length > 0) throw new Error(`units failed: ${JSON.stringify(lines.slice(0, 3))}`)
