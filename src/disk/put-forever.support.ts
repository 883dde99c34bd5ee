/** A process that writes to a tier without end, for the test that kills it: keeper and worker in one. Arguments: folder, socket. */
import { createHash } from 'node:crypto'
import { DiskKeeper } from './keeper.ts'
import { createAdmission } from '../cache/index.ts'
import { KeeperLink } from './keeper-link.ts'
import { WorkerTier } from './worker-tier.ts'
import { atHand, until } from './disk.support.ts'

const [folder = '', socket = ''] = process.argv.slice(2)
const plan = {
  name: 'shared',
  folder,
  isOwnFolder: true,
  bytesMax: 32 * 1024 * 1024,
  objectBytesMax: 8 * 1024 * 1024,
  policy: 'sieve',
  admission: 'all',
} as const
const keeper = new DiskKeeper({ socket, plans: [plan], purgeNumber: 0, onLine: (line) => console.log(line) })
const link = new KeeperLink(socket)
const tier = new WorkerTier(plan, link, (line) => console.log(line), createAdmission)
await until(() => tier.isOpen, 60_000)
console.log(`open with ${keeper.states[0]!.entries}`)

/** Every body says what it should be: its key is in its meta, and its digest. */
function store(n: number): Promise<unknown> {
  const size = [0, 1, 900, 20_000, 300_000, 1_500_000][n % 6]!
  const body = Buffer.alloc(size, `${process.pid} ${n} `)
  const key = `http://a/${n % 300}`
  const meta = Buffer.from(JSON.stringify({ key, digest: createHash('sha1').update(body).digest('hex') }))
  return new Promise((resolve) => {
    tier.put(
      {
        key,
        meta,
        body: { kind: 'bytes', from: atHand(body) },
        tags: ['t'],
        purgeNumber: 0,
        begunMs: Date.now(),
      },
      resolve,
    )
  })
}

for (let n = Math.floor(Math.random() * 300); ; n += 8) {
  await Promise.all(Array.from({ length: 8 }, (_, at) => store(n + at)))
  if (n % 64 < 8) tier.remove(`http://a/${n % 300}`)
}
