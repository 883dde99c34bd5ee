/** The phase `timer` on a real node: by the clock, once, whatever dies. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'

const LIMITS = 'limits: { wallMs: 20000, cpuMs: 500 },'

const value = async (node: TestNode, key: string): Promise<number> =>
  Number((await node.api('GET', `/v1/kv/ticks/${key}`)).text) || 0

test('a timer runs once on the node, however many workers there are', async (t) => {
  const node = await startNode(t, {
    config: { edge: { workers: 2 } },
    units: {
      ticks: `
        export default {
          every: '200ms', ${LIMITS}
          async timer(edge) {
            const second = Math.floor(Date.now() / 200)
            await edge.kv.increment('runs')
            await edge.kv.increment('at-' + second)
            edge.log('tick', edge.unit.name)
          },
        }`,
    },
  })
  const runs = await eventually(async () => (await value(node, 'runs')) >= 5 && value(node, 'runs'))
  const page = JSON.parse((await node.api('GET', '/v1/kv/ticks?prefix=at-')).text) as { keys: unknown[] }
  assert.ok(page.keys.length >= runs / 2, `${runs} runs in ${page.keys.length} fifths of a second`)
  const metrics = (await node.api('GET', '/metrics')).text
  assert.match(metrics, /orla_timer_runs_total\{unit="ticks",result="ok"\} [1-9]/)
  assert.match(metrics, /orla_unit_runs_total\{unit="ticks",version="1",phase="timer"\} [1-9]/)

  // Off is off, and a request never meets it.
  await node.api('POST', '/v1/units/ticks/disable')
  const stopped = await value(node, 'runs')
  await new Promise((resolve) => setTimeout(resolve, 700))
  assert.ok((await value(node, 'runs')) <= stopped + 1)
})

test('a run that still goes on is not started a second time', async (t) => {
  const node = await startNode(t, {
    units: {
      ticks: `
        let running = 0
        export default {
          every: '100ms', ${LIMITS}
          async timer(edge) {
            running++
            if (running > 1) await edge.kv.increment('overlaps')
            await new Promise((resolve) => setTimeout(resolve, 450))
            running--
            await edge.kv.increment('runs')
          },
        }`,
    },
  })
  await eventually(async () => (await value(node, 'runs')) >= 3)
  assert.equal(await value(node, 'overlaps'), 0)
  assert.match((await node.api('GET', '/metrics')).text, /unit="ticks",result="overlapped"\} [1-9]/)
})

test('a worker that dies does not lose a run', async (t) => {
  const node = await startNode(t, {
    config: { edge: { workers: 2 } },
    units: {
      ticks: `
        export default {
          every: '1s', ${LIMITS}
          async timer(edge) {
            if ((await edge.kv.increment('started')) === 1) await new Promise((resolve) => setTimeout(resolve, 15000))
            await edge.kv.increment('finished')
          },
        }`,
    },
  })
  await eventually(async () => (await value(node, 'started')) === 1)
  for (const pid of node.processes().workers) process.kill(pid, 'SIGKILL')
  await eventually(async () => (await value(node, 'finished')) >= 2)
  assert.ok((await value(node, 'started')) >= 3)
})

test('how a timer fails is told with its place', async (t) => {
  const node = await startNode(t, {
    units: {
      bad: `
        export default {
          every: '200ms',
          timer() {
            throw new Error('not now')
          },
        }`,
      loop: `export default { every: '200ms', timer() { for (;;); } }`,
    },
  })
  const errors = async (name: string) => {
    const unit = JSON.parse((await node.api('GET', `/v1/units/${name}`)).text) as {
      errors: { message: string; where?: string; reason: string }[]
    }
    return unit.errors
  }
  const [bad] = await eventually(async () => (await errors('bad')).length > 0 && errors('bad'))
  assert.match(bad!.message, /^Error: not now/)
  assert.equal(bad!.where, 'bad.ts:5:19')
  await eventually(async () => (await errors('loop')).some(({ reason }) => reason === 'cpu'))
})

test('a schedule that cannot be is refused with the reason', async (t) => {
  const node = await startNode(t)
  const refused = async (fields: string, handlers = 'timer() {}') => {
    const source = `export default { ${fields} ${handlers} }`
    const answer = await node.api('PUT', '/v1/units/x', { source, language: 'js' })
    assert.equal(answer.status, 422, answer.text)
    return (JSON.parse(answer.text) as { detail: string }).detail
  }
  assert.match(await refused(''), /a unit with `timer` says when/)
  assert.match(await refused(`cron: '61 * * * *',`), /`cron`: minute: expected 0 to 59, not `61`/)
  assert.match(await refused(`every: 'often',`), /`every`: expected a time such as "20s"/)
  assert.match(await refused(`every: '1s', cron: '* * * * *',`), /exclude each other/)
  assert.match(await refused(`every: '1s',`, 'log() {}'), /`every` is for units with a `timer` handler/)
})
