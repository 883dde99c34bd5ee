/**
 * A packet plane that takes over the link at descriptor 3, on the interface that it is told, and says so: as a program does that an upgrade has started, and
 * that is killed then before it serves.
 */
import { checkConfig } from '../../config/check.ts'
import { PacketPlane } from '../packet-plane.ts'

const [, , name = ''] = process.argv
const checked = checkConfig({ packet: { interface: name } })
if (checked.kind === 'problems') throw new Error(JSON.stringify(checked.problems))
const plane = new PacketPlane({
  config: checked.config.packet,
  log: { info: (line) => console.log(line), warn: (line) => console.log(line) },
})
plane.start({ enforceBy() {} }, [{ interface: name, mode: 'native', fd: 3 }])
