/**
 * The ready-made units, as the guide shows them: each is deployed by the command on the page, what the page shows is printed, and the
 * steps in the comment above hold.
 */
import assert from 'node:assert/strict'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startNode } from '../harness/node.ts'
import { startOrigin } from '../harness/origin.ts'
import { filesBelow, ROOT, textOf } from '../shape/tree.ts'
import { type Session, runConsole } from './console.ts'
import { blocksOf } from './markdown.ts'
import { runStep } from './steps.ts'

const PAGE = 'docs/guides/ready-made-units.md'

/** The blocks below each `##` of the page. */
const CHAPTERS = Map.groupBy(
  blocksOf(PAGE).filter(({ marker }) => marker[0] === 'run'),
  ({ place }) => {
    const above = textOf(PAGE)
      .split('\n')
      .slice(0, Number(place.split(':')[1]))
    return above.findLast((line) => line.startsWith('## '))!.slice(3)
  },
)

test('the guide has every ready-made unit', () => {
  const units = filesBelow('units')
    .map((path) => /^units\/([\w-]+)\.ts$/.exec(path)?.[1])
    .filter((name) => name !== undefined && name !== 'harness')
  const shown = [...textOf(PAGE).matchAll(/^### (.*)$/gm)].map(([, name]) => name!)
  assert.deepEqual(shown.toSorted(), units.toSorted())
  const deployed = [...CHAPTERS.values()]
    .flat()
    .flatMap(({ text }) => [...text.matchAll(/ deploy units\/([\w-]+)\.ts/g)].map(([, name]) => name!))
  assert.deepEqual(deployed, shown)
})

for (const [chapter, blocks] of CHAPTERS) {
  test(`ready-made units do what the guide says: ${chapter}`, async (t) => {
    const origin = await startGuideOrigin(t)
    const node = await startNode(t, { config: { sites: [{ origin: origin.url, cache: {} }] } })
    for (const name of ['bin', 'units']) await symlink(join(ROOT, name), join(node.folder, name))
    const session: Session = {
      cwd: node.folder,
      env: { ORLA_CONTROL: node.control, ORLA_TOKEN: node.token },
      places: new Map([['http://127.0.0.1:8080', node.url]]),
    }
    for (const block of blocks) {
      await t.test(block.place, async () => {
        await runConsole(block, session)
        for (const step of block.marker.slice(1)) await runStep(step, { url: node.url, log: node.stderr })
      })
    }
  })
}

/** Says what it was asked, and what units told it; a page and a playlist by the ending of the path. */
const startGuideOrigin = (t: TestContext) =>
  startOrigin(t, ({ method, url = '', headers }, response) => {
    if (url.endsWith('.m3u8')) {
      response.setHeader('content-type', 'application/vnd.apple.mpegurl').end('#EXTM3U\n#EXTINF:4,\na.ts\n')
      return
    }
    const told = ['x-variant', 'x-canary', 'x-jwt-subject', 'authorization']
      .filter((name) => headers[name] !== undefined)
      .map((name) => ` ${name}=${String(headers[name])}`)
    if (url.startsWith('/closed/')) response.statusCode = 403
    if (url.endsWith('.html')) response.setHeader('content-type', 'text/html')
    response.end(`origin saw ${method} ${url}${told.join('')}\n`)
  })
