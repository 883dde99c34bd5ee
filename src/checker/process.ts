/**
 * The checker's process: builds units one after the other, warm from the start. Forked by `checker.ts`.
 *
 * It is a process of its own because the type checker takes hundreds of megabytes and blocks while it works, and because
 * what it reads comes from outside: whatever happens to it here harms one deploy.
 */
import { TypeCheck, readUnitTypes } from './type-check.ts'
import type { FromChecker, ToChecker } from './protocol.ts'
import { buildUnit } from './unit-build.ts'

const check = new TypeCheck(readUnitTypes(process.argv[2] ?? ''))

const send = (message: FromChecker) => process.send?.(message)

/** Parses the libraries, starts the bundler, and lets V8 compile what every build runs. */
async function warmUp(): Promise<void> {
  for (const path of ['"/"', 'request.path', 'edge.node.name']) {
    const source = `export default { rewrite(request, response, edge) { request.path = ${path} } }`
    await buildUnit(check, { name: 'warm', entry: 'warm.ts', language: 'ts', files: { 'warm.ts': source } })
  }
}

// Whoever stops a service may signal all its processes at once; the supervisor decides when this one ends.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => {})
process.on('disconnect', () => process.exit(0))

// What is thrown here (the bundler's service was killed, the compiler met its own bug) ends the process: its state is in
// doubt, and the unit is tried once more on the next one.
let queue = warmUp().then(() => send({ kind: 'ready' }))
process.on('message', (message: ToChecker) => {
  queue = queue.then(async () =>
    send({ kind: 'built', id: message.id, result: await buildUnit(check, message) }),
  )
})
