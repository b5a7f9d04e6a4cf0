// send: one message by nodemailer. Arguments: a JSON object {port, secure, user, password, method, ca, from, to, raw}.
const fs = require('fs');
const { createRequire } = require('module');

const job = JSON.parse(process.argv[2]);
const nodemailer = createRequire(job.modules + '/')('nodemailer');

const transport = nodemailer.createTransport({
    host: 'localhost', port: job.port, secure: job.secure, requireTLS: !job.secure, authMethod: job.method,
    name: 'client.example.net', tls: { ca: fs.readFileSync(job.ca), servername: 'mx1.example.org' },
    auth: { user: job.user, pass: job.password }, connectionTimeout: 10000, greetingTimeout: 10000,
});
transport.sendMail({ envelope: { from: job.from, to: job.to }, raw: fs.readFileSync(job.raw) }).then(
    info => { console.log(info.response); transport.close(); },
    error => { console.log(error.message); process.exit(1); });
