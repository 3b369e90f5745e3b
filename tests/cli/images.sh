#!/usr/bin/env bash
# Folders of images as data: what is read, the flags that prepare it, and images that are refused.
. "$COSET_SOURCE/tests/support/cli.bash"
cp "$data/mlp.onnx" . # 4 inputs: an image of 2 x 2 grey pixels, or of 1 x 4

red=iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFElEQVR42mNgZGJmYWVjYGdgBAIAAQ0AIZM3Jn8AAAAASUVORK5CYII=
wide=iVBORw0KGgoAAAANSUhEUgAAAAQAAAACCAAAAABawyK/AAAAEklEQVR42mNgZGJmYWBnYGQEAABvABSqTKPGAAAAAElFTkSuQmCC
grey=/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAKBueIx4ZKCMgoy0qqC+8P//8Nzc8P//////////////////////////////////////////////////////////wAALCAAEAAQBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABUQAQEAAAAAAAAAAAAAAAAAAAAR/9oACAEBAAA/ACj/2Q==
mkdir flat broken
base64 -d <<<"$red" >flat/a.png
base64 -d <<<"$wide" >flat/b.PNG
base64 -d <<<"$grey" >flat/c.jpeg
cp flat/a.png flat/d.png
echo "no image" >flat/notes.txt
snapshot >before

# Without a size the images must agree; with one they do.
refused 5 "--resize HxW" eval mlp.onnx --data flat --channels grey --test-share 75% --against mlp.onnx
expect 0 eval mlp.onnx --data flat --resize 2x2 --channels grey --against mlp.onnx
says out "1 test sample"
expect 0 eval mlp.onnx --data flat --resize 1x4 --fit letterbox --pad-value 0 --channels grey --scale 1/255 \
    --mean 0.5 --std 0.25 --test-share 50% --against mlp.onnx --json
valid out metric deviation.rel_l2 samples
says out '"samples": 2'
refused 2 "expects samples of shape [4], the data has samples of shape [3, 2, 2]" eval mlp.onnx --data flat --resize 2x2
refused 2 "mean and std have 2" eval mlp.onnx --data flat --resize 2x2 --mean 1,2
refused 2 "the layout is for arrays" eval mlp.onnx --data flat --resize 2x2 --layout nhwc
refused 2 "'none'" eval mlp.onnx --data flat --resize 2x2 --target y
expect 0 compress mlp.onnx -o small.onnx --data flat --resize 2x2 --fit crop --channels grey --params 80%
rm small.onnx

# Class folders have labels, and parts of their own where they have.
mkdir -p parts/train/cat parts/train/dog parts/test/dog
cp flat/a.png parts/train/cat
cp flat/b.PNG parts/train/dog
cp flat/c.jpeg parts/test/dog
expect 0 eval mlp.onnx --data parts --resize 2x2 --channels grey
says out "1 test sample"
expect 0 eval mlp.onnx --data parts/train --test parts/test --resize 2x2 --channels grey
says out "1 test sample"
rm -r parts

# Files that cannot be read are named.
head -c 60 flat/a.png >broken/cut.png
refused 5 "broken/cut.png" eval mlp.onnx --data broken --resize 2x2 --channels grey
head -c 150 flat/c.jpeg >broken/cut.png
refused 5 "broken/cut.png" eval mlp.onnx --data broken --resize 2x2 --channels grey
base64 -d <<<"$red" | sed 's/IHDR..../IHDR\xff\xff\xff\xff/' >broken/cut.png
refused 5 "broken/cut.png" compress mlp.onnx -o small.onnx --data broken --resize 2x2 --channels grey
[ ! -e small.onnx ] || fail "a broken image wrote a model"
rm -r broken
mkdir nothing
refused 5 "nothing: is a folder without images" eval mlp.onnx --data nothing
rmdir nothing
snapshot >after
grep -v -e ./before -e ./after after >after.all
grep -v -e ./before -e ./after before | cmp -s - after.all || fail "files changed"
finish
