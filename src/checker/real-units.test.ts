/** The checker with the declarations that authors get: the words of a unit's world, and a framework's app as it is. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { stop } from 'esbuild'
import { collectModule } from '../cli/module-files.ts'
import { readUnitTypes, TypeCheck } from './type-check.ts'
import { buildUnit } from './unit-build.ts'

const directory = mkdtempSync(join(tmpdir(), 'orla-real-'))
after(() => {
  stop()
  rmSync(directory, { recursive: true })
})

const check = new TypeCheck(readUnitTypes(fileURLToPath(new URL('../unit/types', import.meta.url))))

/** Builds the file the way `orla deploy` sends it. */
async function build(name: string, text: string): Promise<string[]> {
  const path = join(directory, name)
  writeFileSync(path, text)
  const { entry, language, source, files } = await collectModule(path)
  const result = await buildUnit(check, { name, entry, language, files: { ...files, [entry]: source } })
  return result.ok ? [] : result.problems.map(({ line, message }) => `${line} ${message}`)
}

test('a unit of several phases is checked against what each may do', async () => {
  const unit = (line: string) => `
export default {
  hosts: ["tv.example.com"],
  sample: { share: 0.5, by: "cookie:sid" },
  access(request, response, edge) {
    const token = request.query.get("token") ?? request.cookies.get("superstition")
    if (token !== edge.env.TOKEN) return new Response("forbidden", { status: 403 })
    response.headers.append("set-cookie", \`superstition=\${token}\`)
  },
  headerFilter(request, response, edge) {
    ${line}
  },
}`
  assert.deepEqual(
    await build('good.ts', unit('response.headers.set("x-rtt", String(edge.timing.tcpRttUs))')),
    [],
  )
  assert.match(
    (await build('bad.ts', unit('request.path = "/x"'))).join(),
    /^11 error TS2540: Cannot assign to 'path'/,
  )
})

test('a Hono app is a unit as it is', async () => {
  const hono = dirname(dirname(fileURLToPath(import.meta.resolve('hono'))))
  cpSync(hono, join(directory, 'node_modules/hono'), { recursive: true })
  const app = `import { Hono } from 'hono'
const app = new Hono()
app.get('/', (c) => c.text('hello'))
export default app
`
  assert.deepEqual(await build('app.ts', app), [])
})
