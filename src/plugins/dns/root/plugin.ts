/** `root`: the folder that paths of a server block begin in. */
import { statSync } from 'node:fs'
import type { DnsPlugin } from '../../../contract/dns.ts'
import { atMost, noBlock, onlyLine } from '../line-words.ts'

export default {
  name: 'root',
  setup(controller) {
    const line = onlyLine(controller)
    const [folder] = line.args
    if (!folder) return controller.fail(line, 'root needs a folder, such as /etc/orla/zones')
    atMost(controller, line, 1)
    noBlock(controller, line)
    const path = controller.path(folder.text)
    const found = statSync(path, { throwIfNoEntry: false })
    if (found && !found.isDirectory()) return controller.fail(folder, `${path} is no folder`)
    // As with CoreDNS, the folder may come later: whatever is read from it says that it is not there.
    if (!found) controller.log.warn(`Root path does not exist: ${path}`)
    controller.settings.root = path
  },
} satisfies DnsPlugin
