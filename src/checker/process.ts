/**
 * The checker's process: builds units one after the other, warm from the start. Forked by `checker.ts`.
 *
 * It is a process of its own because the type checker takes hundreds of megabytes and blocks while it works, and because
 * what it reads comes from outside: whatever happens to it here harms one deploy.
 */
import { TypeCheck, readUnitTypes } from './type-check.ts'
import type { BuildRequest, BuildResult, FromChecker, ToChecker } from './protocol.ts'
import { buildUnit } from './unit-build.ts'

const check = new TypeCheck(readUnitTypes(process.argv[2] ?? ''))

const send = (message: FromChecker) => process.send?.(message)

async function build(request: BuildRequest): Promise<BuildResult> {
  try {
    return await buildUnit(check, request)
  } catch (error) {
    // A bug of the compiler met with strange code refuses that code; the process is good for the next.
    const message = `the checker failed: ${error instanceof Error ? error.message : String(error)}`
    return { ok: false, problems: [{ message, severity: 'error' }], buildMs: 0, checkMs: 0 }
  }
}

/** Parses the libraries, starts the bundler, and lets V8 compile what every build runs. */
async function warmUp(): Promise<void> {
  for (const path of ['"/"', 'request.path', 'edge.node.name']) {
    const source = `export default { rewrite(request, response, edge) { request.path = ${path} } }`
    await build({ name: 'warm', entry: 'warm.ts', language: 'ts', files: { 'warm.ts': source } })
  }
}

// Ctrl-C reaches every process of the terminal; the supervisor decides when this one ends.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit(0))

let queue = warmUp().then(() => send({ kind: 'ready' }))
process.on('message', (message: ToChecker) => {
  queue = queue.then(async () => send({ kind: 'built', id: message.id, result: await build(message) }))
})
