/** What the README and the first steps tell people to type is typed, and prints what they show. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { cleanEnvironment, ORLA, startOrla } from '../harness/command.ts'
import { eventually } from '../harness/eventually.ts'
import { ask } from '../harness/http-client.ts'
import { freePort } from '../harness/ports.ts'
import { ROOT } from '../shape/tree.ts'
import { inPlace, runConsole, type Session } from './console.ts'
import { type Block, blocksOf } from './markdown.ts'

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
  const session = { cwd, env: { PATH: path }, places }
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

/** Writes the files and runs the sessions of a page, from its top to its end. */
async function followPage(
  path: string,
  session: Session,
  onBackground?: (block: Block, session: Session) => Promise<void>,
): Promise<void> {
  let sessions = 0
  for (const block of blocksOf(path)) {
    const [kind, name] = (block.marker[0] ?? '').split(' ')
    if (kind === 'file') await writeFile(join(session.cwd, name!), inPlace(block.text, session))
    else if (kind === 'background') await onBackground!(block, session)
    else if (block.language === 'console') {
      sessions += 1
      await runConsole(block, session)
    }
  }
  assert.ok(sessions >= 3, `${path} has only ${sessions} sessions`)
}

/**
 * A program that goes on. It serves when it has printed what the page shows below its line, or when the address in the
 * marker answers.
 */
async function startBehind(t: TestContext, { text, marker }: Block, session: Session): Promise<void> {
  const { cwd, env } = session
  const [, command = '', shown = ''] = /^\$ (.*)\n([^]*)$/.exec(inPlace(text, session)) ?? []
  const [program, ...argv] = command.split(' ')
  const child = spawn(program!, argv, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let complaint = ''
  let ending = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (printed += piece))
  child.stderr.setEncoding('utf8').on('data', (piece: string) => (complaint += piece))
  const ended = new Promise<void>((resolve) => {
    child.on('close', (code, signal) => {
      ending = String(code ?? signal)
      resolve()
    })
  })
  t.after(async () => {
    // One that a page made stand still hears nothing else.
    child.kill('SIGCONT')
    child.kill('SIGTERM')
    await ended
  })
  const url = marker[0]!.split(' ')[1]
  const serves = async () =>
    url === undefined ? printed === shown : (await ask(inPlace(url, session))).status === 200
  const told = () => `it printed "${printed}" and "${complaint}"`
  await eventually(async () => ending !== '' || (await serves()), {
    what: () => `"${command}" did not serve; ${told()}`,
  })
  assert.equal(ending, '', `"${command}" ended; ${told()}`)
}

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orla-docs-'))
  const cwd = join(folder, 'my-edge')
  await mkdir(cwd)
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return cwd
}
