/** `orla store`: where the log is kept and whether it is whole, and how it gets to another place. */
import { UsageError } from '../arguments.ts'
import { type Command, CONTROL_OPTIONS, JSON_OPTION } from '../command.ts'

const VERBS = ['status', 'verify', 'migrate', 'promote'] as const

export const command: Command = {
  name: 'store',
  operands: '[status | verify | migrate | promote]',
  operandsMin: 0,
  operandsMax: 1,
  text: [
    '`status` tells where the log of units, sites and tokens is kept, its name and position, what is kept of it, how its engine does (members, leader, term), and how far edges are.',
    '`verify` reads all of it: every id, every hash, and that the state is what they add up to. Of the node that is asked, or with --path of the data directory of one that is stopped.',
    '`migrate` copies the log to another engine with its name, entries, position and state, so edges go on without a snapshot: stop the control plane, migrate, change `store` in its configuration, start it. SPEC is a data directory, redis://HOST:PORT, rediss://…, etcd+http://HOST:PORT, etcd+https://… (members of a cluster with commas between), or a configuration file (.json or .ts). What was copied is compared. A copy that was cut goes on where it was.',
    '`promote` makes a replica a store of its own, under another name: for when the control plane is lost. Changes that it had not received are lost; edges that follow the node which starts on it take a snapshot.',
  ].join('\n'),
  options: {
    path: { value: 'DIR', text: 'of `verify` and `promote`: the data directory of a node that is stopped' },
    from: { value: 'SPEC', text: 'of `migrate`: where the log is' },
    to: { value: 'SPEC', text: 'of `migrate`: where it is to be' },
    force: { text: 'of `migrate`: put it there in place of another log' },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla store status', 'how it does'],
    ['orla store verify --path data', 'whether what a stopped node has is whole'],
    ['orla store migrate --from data --to redis://10.0.0.7:6379', 'from the embedded store to Redis'],
    [
      'orla store migrate --from redis.json --to etcd+http://10.0.0.8:2379',
      'from what a configuration names',
    ],
    ['orla store promote --path data', 'the control plane is lost: this edge has its log'],
  ],
  exits: {
    1: 'the engine does not take writes, the log is not whole, the target is not empty, or the directory is in use',
  },
  run: async (args, terminal) => {
    const verb = args.operands[0] ?? 'status'
    switch (verb) {
      case 'status': {
        const { storeStatus } = await import('./store/status.ts')
        return storeStatus(args, terminal)
      }
      case 'verify': {
        const { verifyStore } = await import('./store/verify.ts')
        return verifyStore(args, terminal)
      }
      case 'migrate': {
        const { migrateStore } = await import('./store/migrate.ts')
        return migrateStore(args, terminal)
      }
      case 'promote': {
        const { promoteStore } = await import('./store/promote.ts')
        return promoteStore(args, terminal)
      }
      default:
        throw new UsageError(`"${verb}" is not ${VERBS.slice(0, -1).join(', ')} or ${VERBS.at(-1)}`)
    }
  },
}
