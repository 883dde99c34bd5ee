/** What the README and the first steps tell people to type is typed, and prints what they show. */
import { symlink } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { test } from 'node:test'
import { ORLA, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { freePort } from '../harness/ports.ts'
import { ROOT } from '../shape/tree.ts'
import { inPlace } from './console.ts'
import { folderFor, followPage, startBehind } from './sessions.ts'

test('the tour in the README shows what is printed', async (t) => {
  const cwd = await folderFor(t)
  // Commands run where the checkout is, but write nothing into it.
  for (const name of ['bin', 'units']) await symlink(join(ROOT, name), join(cwd, name))
  const demo = await startOrla(t, ['demo', '--edge', '127.0.0.1:0', '--control', '127.0.0.1:0'], { cwd })
  await eventually(() => demo.stderr().includes('Ctrl-C ends it.'))
  const token = /ORLA_TOKEN=(\S+)/.exec(demo.stderr())?.[1] ?? ''
  const places = new Map([
    ['http://127.0.0.1:8080', demo.edges[0]!],
    ['http://127.0.0.1:8081', demo.control],
  ])
  await followPage('README.md', {
    cwd,
    env: { ORLA_CONTROL: demo.control, ORLA_TOKEN: token },
    places,
  })
})

test('the first steps lead to a site behind the edge', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map([['/home/ana/my-edge', cwd]])
  for (const port of ['8080', '8081', '9000']) places.set(port, String(await freePort()))
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const env = { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }
  await followPage('docs/start.md', { cwd, env, places }, (block, session) => startBehind(t, block, session))
})

test('an edge in production is told whom to believe, as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081', '8082', '8083', '9000', '9001'])
    places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const session = { cwd, env: { PATH: path }, places }
  await followPage('docs/guides/production.md', session, (block) => startBehind(t, block, session))
})

test('sites change while the node runs, as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081', '9000', '9001']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
  await followPage('docs/guides/sites.md', session, (block) => startBehind(t, block, session))
})

test('requests are limited as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['6379', '8080', '8081', '8091', '8092', '8191', '8192', '9000'])
    places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
  await followPage('docs/guides/limits.md', session, (block) => startBehind(t, block, session))
})

test('who may change what is told by tokens and an audit log, as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081', '9000']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
  await followPage('docs/guides/access.md', session, (block) => startBehind(t, block, session))
})

test('a new version goes in stages, or as a shadow, as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
  await followPage('docs/guides/staged-publish.md', session, (block) => startBehind(t, block, session))
})

test('TLS is set up as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081', '8443', '9000']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control }, places }
  await followPage('docs/guides/tls.md', session, (block) => startBehind(t, block, session))
})

test('an edge is operated as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081', '9000']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const session = { cwd, env: { PATH: path }, places }
  await followPage('docs/guides/operations.md', session, (block) => startBehind(t, block, session))
})

test('units that lie in Redis are followed and imported, as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['6379', '8080', '8081', '9000']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
  await followPage('docs/guides/redis-units.md', session, (block) => startBehind(t, block, session))
})

test('a site has a cache, in memory and on disk, as the page shows', async (t) => {
  const cwd = await folderFor(t)
  const places = new Map<string, string>()
  for (const port of ['8080', '8081', '8082', '8083', '9000']) places.set(port, String(await freePort()))
  const path = [dirname(ORLA), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const control = inPlace('http://127.0.0.1:8081', { cwd, env: {}, places })
  const session = { cwd, env: { PATH: path, ORLA_CONTROL: control, ORLA_TOKEN: 'change-me' }, places }
  await followPage('docs/guides/caching.md', session, (block) => startBehind(t, block, session))
})
