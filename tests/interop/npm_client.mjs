// The npm `mqtt` client against the broker: node npm_client.mjs URL VERSION [CA]. Prints one JSON line.
import mqtt from 'mqtt'
import fs from 'node:fs'

const [url, version, ca] = process.argv.slice(2)
const options = { protocolVersion: Number(version), reconnectPeriod: 0, connectTimeout: 8000, ca: ca ? fs.readFileSync(ca) : undefined }
const receiver = await mqtt.connectAsync(url, { ...options, clientId: `npm-r-${process.pid}` })
const sender = await mqtt.connectAsync(url, { ...options, clientId: `npm-s-${process.pid}` })
const topic = `npm/${process.pid}`
const got = []
const all = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error('timeout')), 10000)
  receiver.on('message', (name, payload, packet) => {
    got.push([name.split('/')[2], payload.toString(), packet.qos, packet.retain])
    if (got.length === 4) resolve()
  })
})
await sender.publishAsync(`${topic}/kept`, 'k', { qos: 1, retain: true })
await receiver.subscribeAsync(`${topic}/#`, { qos: 2 })
for (const qos of [0, 1, 2]) await sender.publishAsync(`${topic}/${qos}`, 'x', { qos })
await all
await receiver.endAsync()
await sender.publishAsync(`${topic}/kept`, '', { retain: true, qos: 1 })
await sender.endAsync()
console.log(JSON.stringify(got))
process.exit(0)
