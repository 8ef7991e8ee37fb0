module github.com/graphwiki/platform/tools/pods

go 1.26
