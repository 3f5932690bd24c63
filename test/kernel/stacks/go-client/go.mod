module sightline.test/go-client

go 1.18
