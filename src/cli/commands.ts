/** All commands, in the order of the help. A command's file is loaded when it is called. */
import type { Command, CommandGroup } from './command.ts'

interface Entry {
  readonly summary: string
  load(): Promise<{ readonly command: Command | CommandGroup }>
}

export const COMMANDS: Readonly<Record<string, Entry>> = {
  start: { summary: 'run an edge node', load: () => import('./commands/start.ts') },
  dns: { summary: 'serve DNS as a Corefile says', load: () => import('./commands/dns.ts') },
  demo: {
    summary: 'run the demo: an origin, an edge, and what to try',
    load: () => import('./commands/demo.ts'),
  },
  check: { summary: 'build and check units here, deploy nothing', load: () => import('./commands/check.ts') },
  dev: { summary: 'run a unit, and deploy it on every save', load: () => import('./commands/dev.ts') },
  bench: {
    summary: 'measure the CPU time of a unit, a call of each phase',
    load: () => import('./commands/bench.ts'),
  },
  deploy: { summary: 'make units live', load: () => import('./commands/deploy.ts') },
  import: {
    summary: 'take units over from where others keep them',
    load: () => import('./commands/import.ts'),
  },
  sources: {
    summary: 'tell where units come from that are followed',
    load: () => import('./commands/sources.ts'),
  },
  units: { summary: 'list the units, or tell all about one', load: () => import('./commands/units.ts') },
  versions: { summary: 'list the versions of a unit', load: () => import('./commands/versions.ts') },
  rollouts: {
    summary: 'tell how new versions in stages and shadows do, and move them on',
    load: () => import('./commands/rollouts.ts'),
  },
  rollback: { summary: 'make an earlier version live again', load: () => import('./commands/rollback.ts') },
  env: { summary: 'show or set the environment of a unit', load: () => import('./commands/env.ts') },
  disable: { summary: 'switch a unit, or all, off', load: () => import('./commands/disable.ts') },
  enable: { summary: 'switch a unit, or all, on again', load: () => import('./commands/enable.ts') },
  remove: { summary: 'take a unit away', load: () => import('./commands/remove.ts') },
  kv: { summary: 'look at key/value data of units, and change it', load: () => import('./commands/kv.ts') },
  sites: { summary: 'list, show, set or remove sites', load: () => import('./commands/sites.ts') },
  purge: {
    summary: 'take answers out of the caches of all nodes',
    load: () => import('./commands/purge.ts'),
  },
  ban: { summary: 'keep addresses and prefixes out for a time', load: () => import('./commands/ban.ts') },
  unban: { summary: 'let addresses and prefixes in again', load: () => import('./commands/unban.ts') },
  bans: { summary: 'tell who is kept out, until when and why', load: () => import('./commands/bans.ts') },
  certificates: {
    summary: 'list, set or remove certificates that all nodes serve',
    load: () => import('./commands/certificates.ts'),
  },
  origins: { summary: 'tell how the endpoints of origins do', load: () => import('./commands/origins.ts') },
  cache: {
    summary: 'tell what caches hold and did, and try replacement policies on a trace',
    load: () => import('./commands/cache.ts'),
  },
  limits: {
    summary: 'tell what limits allowed and refused, and who asked most',
    load: () => import('./commands/limits.ts'),
  },
  packet: {
    summary: 'watch packets, and run XDP programs on network interfaces',
    load: () => import('./commands/packet.ts'),
  },
  reload: { summary: 'read the configuration file again', load: () => import('./commands/reload.ts') },
  upgrade: {
    summary: 'let the program that is installed now take over, with no connection refused',
    load: () => import('./commands/upgrade.ts'),
  },
  tokens: { summary: 'list, make, rotate or revoke tokens', load: () => import('./commands/tokens.ts') },
  secrets: {
    summary: 'list, set or delete secrets, or change the key they are sealed with',
    load: () => import('./commands/secrets.ts'),
  },
  keys: { summary: 'make a key that signs units', load: () => import('./commands/keys.ts') },
  audit: { summary: 'tell who changed what', load: () => import('./commands/audit.ts') },
  backup: { summary: 'copy the data of a node into one file', load: () => import('./commands/backup.ts') },
  restore: {
    summary: 'go back to an earlier state, or make a data directory of a backup',
    load: () => import('./commands/restore.ts'),
  },
  edges: { summary: 'list the edges and how far each is', load: () => import('./commands/edges.ts') },
  join: { summary: 'run an edge that follows a control plane', load: () => import('./commands/join.ts') },
  store: {
    summary: 'tell where the log is kept, verify it, copy it elsewhere',
    load: () => import('./commands/store.ts'),
  },
  log: { summary: 'print what was written to the log', load: () => import('./commands/log.ts') },
  tail: { summary: 'follow what units log and how they fail', load: () => import('./commands/tail.ts') },
  cputime: {
    summary: 'measure CPU time beside wall time, of a command or a process',
    load: () => import('./commands/cputime.ts'),
  },
  version: { summary: 'print the version', load: () => import('./commands/version.ts') },
}
