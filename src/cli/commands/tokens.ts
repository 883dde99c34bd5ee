/** `orla tokens`: who may do what on the control plane. */
import type { MadeToken, TokenInfo } from '../../control/access-shapes.ts'
import { ROLES } from '../../control/tokens.ts'
import { type Arguments, UsageError } from '../arguments.ts'
import { type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION, type Terminal } from '../command.ts'
import { ControlClient } from '../control-client.ts'
import { table } from '../help.ts'
import { timeText } from './units.ts'

export const command: Command = {
  name: 'tokens',
  operands: '[new NAME | rotate NAME | revoke NAME]',
  operandsMin: 0,
  operandsMax: 2,
  text: [
    'Lists the tokens of the control plane, makes one, gives one another secret, or revokes one. A secret is printed once, when it is made, and kept as a hash alone.',
    'Roles: `read` looks; `deploy` also changes units and sites; `admin` also makes tokens, reloads the configuration, and reads the audit log. A token that is limited to sites sees and changes only units whose hosts and paths lie within them, and these sites.',
    'The token of the configuration (or of control.token in the data directory) is the root, which may everything and makes the first others.',
  ].join('\n'),
  options: {
    role: { value: ROLES.join('|'), text: 'of `new`: what it may' },
    site: { value: 'NAME', many: true, text: 'of `new`: a site that it is limited to' },
    expires: {
      value: 'TIME',
      text: 'of `new`: how long it is valid, such as 90d; without it until it is revoked',
    },
    grace: {
      value: 'TIME',
      text: 'of `rotate`: how long the secret before counts, such as 1h; without it not at all',
    },
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    [
      'orla tokens new ci --role deploy --site tv.example.com --expires 90d',
      'for a pipeline that deploys units of one site',
    ],
    ['orla tokens new grafana --role read', 'for whoever reads metrics from another machine'],
    ['orla tokens rotate ci --grace 1h', 'another secret; the one before counts for an hour more'],
    ['orla tokens revoke ci', 'it is not valid from now on'],
  ],
  exits: { 1: 'there is no such token, or this one may not do it' },
  run: async (args, terminal) => {
    const [verb, name] = args.operands
    const control = ControlClient.from(args, terminal)
    if (verb === undefined) {
      const tokens = (await control.call('GET', '/v1/tokens')) as TokenInfo[]
      terminal.print(args.flag('json') ? JSON.stringify(tokens) : listText(tokens))
      return EXIT.done
    }
    if (verb !== 'new' && verb !== 'rotate' && verb !== 'revoke') {
      throw new UsageError(`"${verb}" is not new, rotate or revoke`)
    }
    if (name === undefined) throw new UsageError(`${verb} needs a name`)
    const path = `/v1/tokens/${encodeURIComponent(name)}`
    if (verb === 'revoke') {
      const info = (await control.call('DELETE', path)) as TokenInfo
      terminal.print(args.flag('json') ? JSON.stringify(info) : `revoked ${info.name} (${info.id})`)
      return EXIT.done
    }
    const made =
      verb === 'new'
        ? await control.call('POST', '/v1/tokens', { body: newToken(name, args) })
        : await control.call('POST', `${path}/rotate`, { body: { graceMs: args.duration('grace') ?? 0 } })
    tell(made as MadeToken, args, terminal)
    return EXIT.done
  },
}

function newToken(name: string, args: Arguments): object {
  const role = args.choice('role', ROLES)
  if (role === undefined) throw new UsageError(`new needs --role ${ROLES.join('|')}`)
  const sites = args.all('site')
  const ttlMs = args.duration('expires')
  return { name, role, ...(sites.length > 0 && { sites }), ...(ttlMs !== undefined && { ttlMs }) }
}

/** The secret alone on standard output, so that a script can take it. */
function tell({ token, info }: MadeToken, args: Arguments, terminal: Terminal): void {
  if (args.flag('json')) {
    terminal.print(JSON.stringify({ token, info }))
    return
  }
  terminal.print(token)
  terminal.note(
    `the token ${info.name} (${info.id}), role ${info.role}${limitText(info)}: it is not shown again`,
  )
}

function limitText({ sites, expiresAt }: TokenInfo): string {
  const limit = sites ? `, limited to ${sites.join(', ')}` : ''
  return expiresAt === undefined ? limit : `${limit}, valid until ${timeText(expiresAt)}`
}

function listText(tokens: readonly TokenInfo[]): string {
  if (tokens.length === 0) return 'no tokens but the root; `orla tokens new NAME --role ROLE` makes one'
  return table(
    ['NAME', 'ID', 'ROLE', 'SITES', 'STATE', 'EXPIRES', 'CREATED', 'BY'],
    tokens.map(({ name, id, role, sites, state, expiresAt, createdAt, createdBy }) => [
      name,
      id,
      role,
      sites?.join(',') ?? 'all',
      state,
      expiresAt === undefined ? 'never' : timeText(expiresAt),
      timeText(createdAt),
      createdBy,
    ]),
  )
}
