/** `orla store status`: where the log is kept, how its engine does, how far its readers are. */
import type { StoreStatus } from '../../../control/store-shapes.ts'
import type { Arguments } from '../../arguments.ts'
import { EXIT, type ExitCode, type Terminal } from '../../command.ts'
import { ControlClient } from '../../control-client.ts'
import { table } from '../../help.ts'

export async function storeStatus(args: Arguments, terminal: Terminal): Promise<ExitCode> {
  const status = (await ControlClient.from(args, terminal).call('GET', '/v1/store')) as StoreStatus
  terminal.print(args.flag('json') ? JSON.stringify(status) : statusText(status))
  return status.engine?.isHealthy === false ? EXIT.refused : EXIT.done
}

export function statusText(status: StoreStatus): string {
  const { kind, position, base, engine, edges, keep, control } = status
  const kept = status.entries === 0 ? 'none' : `${status.entries}, from ${base.id + 1} on`
  const rows = [
    ['store', engine ? `${kind} at ${engine.address}` : kind],
    ...(control
      ? [['follows', `${control.url} (${control.isConnected ? 'connected' : 'not connected'})`]]
      : []),
    ['log', position.log],
    ['position', `${position.id} (${position.hash.slice(0, 12)}…)`],
    ['entries', `${kept}; ${keep.entries} are kept, up to ${keep.entriesForEdges} for edges that lag`],
    ['state', `${status.keys} keys`],
    ['file', `${status.path}, ${(status.fileBytes / 1e6).toFixed(1)} MB`],
    ...(status.keeper === undefined ? [] : [['replica of', status.keeper]]),
    ...(engine ? engineRows(engine, position.id) : []),
  ]
  const facts = rows.map(([key, value]) => `${key!.padEnd(10)}  ${value}`)
  return [
    ...facts,
    ...(engine && engine.members.length > 0 ? ['', membersText(engine.members)] : []),
    ...(edges.length > 0 ? ['', edgesText(edges)] : []),
  ].join('\n')
}

type Engine = NonNullable<StoreStatus['engine']>

function engineRows(engine: Engine, here: number): readonly (readonly string[])[] {
  const { version, term, position, isHealthy, problem } = engine
  const behind = position && position.id > here ? `, and this node is ${position.id - here} behind` : ''
  return [
    ['engine', `${isHealthy ? 'takes writes' : `takes no writes: ${problem ?? 'no reason is known'}`}`],
    ...(isHealthy && problem !== undefined ? [['warning', problem]] : []),
    ...(version === undefined ? [] : [['version', version]]),
    ...(term === undefined ? [] : [['term', String(term)]]),
    ['its end', position ? `${position.id}${behind}` : 'it does not answer'],
  ]
}

const membersText = (members: Engine['members']): string =>
  table(
    ['MEMBER', 'ADDRESS', 'ROLE', 'HEALTH', 'LAG', 'NOTE'],
    members.map(({ name, address, role, isHealthy, lag, note }) => [
      name,
      address,
      role,
      isHealthy ? 'well' : 'not well',
      lag === undefined ? '-' : String(lag),
      note ?? '',
    ]),
  )

const edgesText = (edges: StoreStatus['edges']): string =>
  table(
    ['EDGE', 'PRESENCE', 'POSITION', 'LAG'],
    edges.map(({ name, presence, position, lag }) => [name, presence, String(position.id), String(lag)]),
  )
