import time, httpx, tracemalloc
from tests.slices.conftest import *
C=f"{BASE}/contacts"
async def test_smoke(client):
    r=await client.post(C,json={"phone_number":"(202) 555-0142","name":"Ana Maria Silva","metadata":{"a":1}}); print(r.text); assert r.status_code==201
    cid=r.json()["data"]["id"]
    r=await client.patch(C+"/"+cid,json={"email":"a@b.c"}); print(r.text); assert r.status_code==200
    r=await client.get(C,params={"search":"SILVA 555","page":1}); print(r.text)
    csvt="phone;name;plan\n(202) 555-0143;Bo;gold\n;x;y\n2025550144;=1+1;\n(202) 555-0143;Bo2;silver\n"
    r=await client.post(C+"/import",files={"file":("a.csv",csvt.encode("utf-16"))},data={"overwrite_existing":"true"}); print(r.text)
    r=await client.get(C+"/export"); print(r.text, r.headers)
    r=await client.get(C+"/folders"); print(r.text)
    r=await client.post(C+"/dnc",json={"phone_numbers":["2025550143","+442079460018"],"reason":"asked"}); print(r.text)
    r=await client.post(C+"/dnc/import",files={"file":("a.csv",b"phone,reason\n2025550143,x\n2025550199,y\n2,3\n")}); print(r.text)
    r=await client.get(C+"/dnc/+12025550143"); print(r.text)
    n=100000
    data=("phone,first_name,last_name,email,plan,city\n"+"".join(f"+1202{i:07},Ana,Silva{i},a{i}@example.com,gold,Lima\n" for i in range(n))).encode()
    for over in ("false","false","true"):
        t=time.time(); p=time.process_time()
        r=await client.post(C+"/import",files={"file":("a.csv",data)},data={"overwrite_existing":over},timeout=200); print(r.text[:300], time.time()-t,time.process_time()-p)
    t=time.time(); r=await client.get(C+"/export"); print(len(r.text), time.time()-t)
