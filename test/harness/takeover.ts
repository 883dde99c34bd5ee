/** A node whose program is taken over by another, as tests see it: who has the data, who is whose child, and clients without end. */
import { readFileSync } from 'node:fs'
import { request, type RequestListener, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { ConfigInput } from '../../src/config/schema.ts'
import { eventually } from './eventually.ts'
import { PATIENT, startNode, type TestNode } from './node.ts'
import { startOrigin } from './origin.ts'
import { descendants } from './processes.ts'

/** A run that wrote is not run again: a unit has all the CPU and time that it may have, so that none is cut off. */
export const LIMITS = 'limits: { cpuMs: 1000, wallMs: 60000 }'
/** Each answer is a number that was never given before. */
export const COUNTER = `export default {
  paths: ['/count'], ${LIMITS},
  async content(_, edge) { return new Response(String(await edge.kv.increment('n'))) },
}`

/** Whoever serves in the end is no child of the test, and is ended by it all the same. `handler` is that of the origin, `site` more of its site, `moreEdge` more of `edge`. */
export async function startTakeover(
  t: TestContext,
  units: Readonly<Record<string, string>> = { counter: COUNTER },
  handler?: RequestListener,
  site: Omit<NonNullable<ConfigInput['sites']>[number], 'origin'> = {},
  moreEdge: ConfigInput['edge'] = {},
): Promise<TestNode> {
  const origin = await startOrigin(t, handler)
  // What is under way when the one before is to end has minutes, on a machine that stands still as well.
  const edge = { ...moreEdge, workers: 2, limits: { ...PATIENT, drain: '4m' } }
  const config: ConfigInput = { sites: [{ ...site, origin: origin.url }], edge }
  const started: { node?: TestNode } = {}
  // Before its folder is removed: hooks run in the order in which they were added.
  t.after(async () => {
    const { node } = started
    const pid = node && holder(node)
    if (pid !== undefined && pid !== node?.pid) await end(pid)
  })
  started.node = await startNode(t, { config, units })
  return started.node
}

/** An origin that answers when it is told to: whoever asks it is kept at its drain. */
export function holdingOrigin() {
  const held: ServerResponse[] = []
  return {
    handler: ((_, response) => void held.push(response)) satisfies RequestListener,
    isAsked: () => held.length > 0,
    /** Requests that wait there. */
    count: () => held.length,
    answer: (text: string) => void held.splice(0).forEach((response) => response.end(text)),
  }
}

/** Who has the data directory. */
export function holder({ folder }: TestNode): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(folder, 'data/orla.pid'), 'utf8'), 10)
  } catch {
    return undefined
  }
}

/** One that has ended and that nobody waited for is not: whose parent has ended belongs to whatever is process 1 here. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function end(pid: number): Promise<void> {
  if (isAlive(pid)) process.kill(pid, 'SIGTERM')
  await eventually(() => !isAlive(pid)).catch(() => process.kill(pid, 'SIGKILL'))
}

/** The process that is to take over, from the moment it is there. */
export function newcomer({ pid }: TestNode): Promise<number> {
  return eventually(() => childrenOf(pid, /main\.ts\0start/)[0])
}

/** A process and all below it, but for another program below it with all of its own. */
export function household(pid: number, other?: number): readonly number[] {
  const others = new Set(other === undefined ? [] : [other, ...descendants(other)])
  return [pid, ...descendants(pid)].filter((one) => !others.has(one))
}

function childrenOf(parent: number, command: RegExp): number[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')
  return children.filter((pid) => pid !== '' && command.test(commandOf(pid))).map(Number)
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/** A request on a connection of its own. Rejects where it is refused, reset or cut. */
export function get(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, headers: { connection: 'close' } }, (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => (text += piece))
      answer.on('end', () => {
        if (answer.statusCode === 200 && answer.complete) resolve(text)
        else reject(new Error(`${answer.statusCode} ${text}`))
      })
      answer.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

/** New connections without end, some at a time, until it is stopped; resolves to what came. With pauses: the program that starts needs CPU. */
export function load(url: string, atOnce: number) {
  let isStopped = false
  const answers: string[] = []
  const failures: string[] = []
  const one = async () => {
    while (!isStopped) {
      await get(url).then(
        (text) => answers.push(text),
        (error: Error) => failures.push(error.message),
      )
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const all = Promise.all(Array.from({ length: atOnce }, one))
  return {
    answers,
    async stop() {
      isStopped = true
      await all
      return { answers, failures }
    },
  }
}
