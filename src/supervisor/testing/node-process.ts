/** A node in a process of its own, for tests that end it: tells where it listens and who its workers are. */
import * as v from 'valibot'
import { ConfigSchema } from '../../config/schema.ts'
import { untilSignalled } from '../signals.ts'
import { startSupervisor } from '../supervisor.ts'
import { FAKE_WORKER, uncheckedBuilder } from './test-node.ts'

const config = v.parse(ConfigSchema, {
  edge: { listen: '127.0.0.1:0', workers: 2 },
  control: { listen: '127.0.0.1:0', token: 'token' },
  store: { path: process.argv[2]! },
})
const supervisor = await startSupervisor(config, {
  workerEntry: FAKE_WORKER,
  builder: uncheckedBuilder,
  bundles: { sandbox: '', guest: '' },
})
const response = await fetch(`http://${supervisor.controlAddress}/v1/edges`, {
  headers: { authorization: 'Bearer token' },
})
const [edge] = (await response.json()) as [{ workers: { pid: number }[] }]
// Whoever hears of it may send a signal at once.
const ended = untilSignalled(supervisor)
process.send!({ address: supervisor.addresses[0], workers: edge.workers.map(({ pid }) => pid) })
process.exit(await ended)
