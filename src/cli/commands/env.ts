/** `orla env`: shows the environment of a unit, or sets values of it, which makes a new version. */
import type { ChangeResult, UnitDetail } from '../../control/shapes.ts'
import { callTimeoutMs, changeWait, deployedLine, tellChange, valuesFrom } from '../change.ts'
import { CHANGE_OPTIONS, type Command, CONTROL_OPTIONS, EXIT, JSON_OPTION } from '../command.ts'
import { ControlClient } from '../control-client.ts'

export const command: Command = {
  name: 'env',
  operands: 'NAME',
  operandsMin: 1,
  operandsMax: 1,
  text: 'Shows what a unit finds in `edge.env`; secrets by name alone. With --env or --secret it sets values instead: the same code becomes a new version with them, and what is not named stays.',
  options: {
    env: { value: 'K=V', many: true, text: 'a value to set' },
    secret: { value: 'K=V', many: true, text: 'a value to set, encrypted in the store and never shown' },
    ...CHANGE_OPTIONS,
    ...CONTROL_OPTIONS,
    ...JSON_OPTION,
  },
  examples: [
    ['orla env token-auth', 'shows it'],
    ['orla env token-auth --secret TOKEN=other', 'changes the token, live'],
  ],
  exits: { 1: 'there is no such unit, or it was refused', 2: 'not live everywhere in time' },
  run: async (args, terminal) => {
    const control = ControlClient.from(args, terminal)
    const path = `/v1/units/${encodeURIComponent(args.operands[0]!)}`
    const values = valuesFrom(args)
    if (Object.keys(values).length > 0) {
      const waiting = changeWait(args)
      const options = { body: { ...waiting, ...values }, timeoutMs: callTimeoutMs(waiting) }
      const result = (await control.call('PUT', `${path}/env`, options)) as ChangeResult
      tellChange(args, terminal, result, deployedLine(result))
      return EXIT.done
    }
    const { envValues, secrets: names } = (await control.call('GET', path)) as UnitDetail
    if (args.flag('json')) terminal.print(JSON.stringify({ env: envValues, secrets: names }))
    else {
      for (const [key, value] of Object.entries(envValues)) terminal.print(`${key}=${value}`)
      for (const key of names) terminal.print(`${key}=(secret)`)
    }
    return EXIT.done
  },
}
