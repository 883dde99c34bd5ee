/**
 * Every unit in the guides is deployed as it is written, to a real node, and does what the page says.
 *
 * It may use more CPU than the page lets it, unless that is what the page is about: a machine that stands still counts some of it
 * as CPU time.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { cleanEnvironment, ORLA } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { startNode, type TestNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { filesBelow, ROOT } from '../shape/tree.ts'
import { type Block, blocksOf } from './markdown.ts'
import { runStep } from './steps.ts'

const PAGES = filesBelow('docs/guides')

/** The origin of the guides' node: says what reached it, so that a page can show what a unit made of a request. */
const startGuideOrigin = (t: TestContext) =>
  startOrigin(t, (request, response) => {
    response.setHeader('cache-control', 'max-age=60')
    response.setHeader('server', 'origin')
    response.end(`origin saw ${request.method} ${request.url} x-user=${request.headers['x-user'] ?? ''}\n`)
  })

test('the units in the guides do what the pages say', async (t) => {
  const origin = await startGuideOrigin(t)
  const node = await startNode(t, {
    config: {
      edge: { debugToken: 'debug', fetch: { sites: ['127.0.0.1'] } },
      node: { name: 'gru1', groups: ['sa-east'] },
      limits: [{ name: 'coupons', rate: '2/1d' }],
      sites: [{ origin: origin.url, cache: {} }],
    },
  })
  // As it lies in the project of somebody who wrote `npm install hono`.
  await cp(join(ROOT, 'node_modules/hono'), join(node.folder, 'node_modules/hono'), { recursive: true })
  const tail = await followTail(t, node)
  let examples = 0
  let live = ''
  for (const block of PAGES.flatMap(blocksOf)) {
    const [first = '', ...steps] = block.marker
    const [kind, name = '', ...options] = first.split(' ')
    if (kind === 'tests') await writeFile(join(node.folder, `${name}.test.${block.language}`), block.text)
    if (kind !== 'unit' && kind !== 'then' && kind !== 'refused') continue
    examples += 1
    await t.test(`${block.place} ${kind} ${name}`, async () => {
      // `then` is a new version of the example before it.
      if (kind === 'unit' && live !== '') await node.api('DELETE', `/v1/units/${live}`)
      const given = options.map((option) => option.replace('$ORIGIN', origin.url))
      const isAboutCpu = steps.some((step) => step.includes(' cpu'))
      // A refusal may be about limits, too. What the page says of CPU gives way: an option that stands there twice is refused.
      if (kind !== 'refused' && !isAboutCpu) {
        const said = given.indexOf('--cpu-ms')
        if (said >= 0) given.splice(said, 2)
        given.push('--cpu-ms', '1000')
      }
      const { code, stderr } = await deploy(node, name, block, given)
      if (kind === 'refused') {
        assert.equal(code, 1, stderr)
        for (const line of steps) assert.ok(stderr.includes(line), `${line} is not in:\n${stderr}`)
        return
      }
      assert.equal(code, 0, stderr)
      live = name
      const from = tail().length
      const places = { url: node.url, log: () => tail().slice(from) }
      let again: (() => Promise<void>) | undefined
      for (const step of steps) {
        await runStep(step, { ...places, ...(again && { again }) })
        if (!step.startsWith('log ')) again = () => runStep(step, places)
      }
    })
  }
  assert.ok(examples >= 12, `only ${examples} examples were found`)
})

async function deploy(node: TestNode, name: string, { text, language }: Block, options: readonly string[]) {
  const file = join(node.folder, `${name}.${language}`)
  await writeFile(file, text)
  return node.orla('deploy', basename(file), ...options)
}

/** What `orla tail` prints, so far; it ends with the test. */
async function followTail(t: TestContext, node: TestNode): Promise<() => string> {
  const child = spawn(ORLA, ['tail'], {
    env: { ...cleanEnvironment(), ORLA_CONTROL: node.control, ORLA_TOKEN: node.token },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  t.after(() => child.kill('SIGKILL'))
  const source = `export default { paths: ['/listening'], log: () => console.log('listening') }`
  await node.deploy('listening', source)
  await eventually(async () => {
    await node.request('/listening')
    return text.includes('listening')
  })
  await node.api('DELETE', '/v1/units/listening')
  return () => text
}
