/** The main file of the keeper's thread. */
import { parentPort, workerData } from 'node:worker_threads'
import { DiskKeeper, removeFolder } from './keeper.ts'
import type { FromKeeperThread, KeeperStart, ToKeeperThread } from './keeper-messages.ts'

const start = workerData as KeeperStart
const port = parentPort!
const tell = (message: FromKeeperThread): void => port.postMessage(message)
const keeper = new DiskKeeper({ ...start, onLine: (line) => tell({ kind: 'line', line }) })

port.on('message', (message: ToKeeperThread) => {
  switch (message.kind) {
    case 'use':
      return keeper.use(message.plans)
    case 'purge':
      return tell({
        kind: 'purged',
        id: message.id,
        objects: keeper.purge(message.purges, message.tier),
        states: keeper.states,
      })
    case 'states':
      return tell({ kind: 'states', id: message.id, states: keeper.states })
    case 'close':
      keeper.close()
      tell({ kind: 'closed' })
      port.close()
  }
})

void (async () => {
  for (const folder of start.leftovers) await removeFolder(folder).catch(() => undefined)
})()
